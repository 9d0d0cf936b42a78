import { decisionPlane } from '#kernel/releases/targets/decision-plane.ts';
import { Market } from './kinds/market.ts';

/** Release target for listeners: households or listeners, in markets. */
export const listeners = decisionPlane({
  name: 'listeners',
  units: ['household', 'listener'],
  unitsDescription:
    'Units of release buckets. Use households for plans, prices and caps, which apply to whole households.',
  facts: [{ field: 'markets', fact: 'market', kind: Market.id, description: 'Only these Markets.' }],
});
