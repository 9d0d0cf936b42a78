import type { Kind } from '#kernel/kinds/kind.ts';
import { Attribute } from './kinds/attribute.ts';
import { Audience } from './kinds/audience.ts';

/** In the order in which a change set writes its objects: a rule needs its attributes. */
export const audienceKinds: readonly Kind[] = [Attribute, Audience];
