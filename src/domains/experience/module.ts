import { audienceKinds } from '#kernel/audiences/kinds.ts';
import type { Kind } from '#kernel/resources/kind.ts';
import type { DecisionModule } from '#kernel/snapshots/module.ts';
import { isRecord } from '#kernel/base/is-record.ts';
import { subjectOfContext } from './cohort-subject.ts';
import { compile, compileInSteps, update } from './decisions/compile.ts';
import type { ExperienceTable } from './decisions/table.ts';
import { flagRoutes } from './flag-routes.ts';
import { Experiment } from './kinds/experiment.ts';
import { Flag } from './kinds/flag.ts';
import { Holdout } from './kinds/holdout.ts';
import { ofrep, type FlagFacts } from './ofrep.ts';

/** In the order in which objects of one change set are written: what is referred to comes first. */
export const experienceKinds: readonly Kind[] = [Holdout, Flag, Experiment];

/** Flags and experiments in the decision plane. */
export function experienceModule(facts: FlagFacts): DecisionModule<ExperienceTable> {
  return {
    name: 'experience',
    kinds: [...audienceKinds, ...experienceKinds],
    compile,
    compileInSteps,
    update,
    routes: flagRoutes(facts.random),
    protocols: ofrep(facts),
    subjectOf: (_table, input) =>
      subjectOfContext(isRecord(input) && isRecord(input['context']) ? input['context'] : {}),
  };
}
