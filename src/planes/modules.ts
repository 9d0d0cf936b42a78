import { ads } from '#domains/ads/module.ts';
import { deploy } from '#domains/deploy/module.ts';
import { experience } from '#domains/experience/module.ts';
import { products } from '#domains/products/module.ts';
import type { Module } from '#kernel/modules/module.ts';

/** The domains of this program. Objects of one change set are written in this order. */
export const MODULES: readonly Module[] = [deploy, products, experience, ads];
