import { decisionPlane } from '../targets/decision-plane.ts';

/** The decision plane of tests: members of groups, in regions. */
export const LISTENERS = decisionPlane({
  name: 'listeners',
  units: ['group', 'member'],
  unitsDescription: 'What falls into buckets.',
  facts: [{ field: 'regions', fact: 'region', kind: 'test.backline.dev/Region', description: 'Only these regions.' }],
});
