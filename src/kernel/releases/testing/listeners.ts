import { decisionPlane } from '../targets/decision-plane.ts';

/** The decision plane as tests have it: members of groups, in regions. */
export const LISTENERS = decisionPlane({
  name: 'listeners',
  units: ['group', 'member'],
  unitsDescription: 'What falls into buckets.',
  facts: [{ field: 'regions', fact: 'region', kind: 'test.backline.dev/Region', description: 'Only these regions.' }],
});
