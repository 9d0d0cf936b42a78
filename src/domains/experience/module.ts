import { resolve } from 'node:path';
import { audienceKinds } from '#kernel/audiences/kinds.ts';
import { isRecord } from '#kernel/base/is-record.ts';
import { defineModule } from '#kernel/modules/module.ts';
import type { DecisionModule } from '#kernel/snapshots/module.ts';
import { subjectOfContext } from './cohort-subject.ts';
import { compileInSteps, updateInSteps } from './decisions/compile.ts';
import type { ExperienceTable } from './decisions/table.ts';
import { flagRoutes } from './flag-routes.ts';
import { Experiment } from './kinds/experiment.ts';
import { Flag } from './kinds/flag.ts';
import { Holdout } from './kinds/holdout.ts';
import { assignments } from './migrations/0006-assignments.ts';
import { ofrep } from './ofrep.ts';
import { runningAdvisor } from './running-advice.ts';
import { assignmentStore } from './records/assignments.ts';

export const experienceKinds = [Holdout, Flag, Experiment];

/** Flags and experiments. */
export const experience = defineModule({
  name: 'experience',
  kinds: experienceKinds,
  followed: [...audienceKinds, ...experienceKinds],
  migrations: [assignments],
  records: ({ database }) => {
    const store = assignmentStore(database);
    return {
      assignments: store,
      erasers: [{ store: 'assignments', erase: store.erase }],
      tidy: store.maintain,
    };
  },
  decisions: ({ records, random, log }): DecisionModule<ExperienceTable> => ({
    name: 'experience',
    kinds: [...audienceKinds, ...experienceKinds],
    compile: compileInSteps,
    update: updateInSteps,
    routes: flagRoutes(random),
    protocols: ofrep({ assignments: records?.assignments, random, log }),
    subjectOf: (_table, input) =>
      subjectOfContext(isRecord(input) && isRecord(input['context']) ? input['context'] : {}),
  }),
  advisors: (live) => [runningAdvisor(live)],
  sample: resolve(import.meta.dirname, '../../../examples/aria/experience'),
});
