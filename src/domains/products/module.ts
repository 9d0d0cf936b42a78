import type { Kind } from '#kernel/resources/kind.ts';
import { Feature } from './kinds/feature.ts';
import { Market } from './kinds/market.ts';
import { Plan } from './kinds/plan.ts';
import { Price } from './kinds/price.ts';

export const productsKinds: readonly Kind[] = [Feature, Market, Plan, Price];
