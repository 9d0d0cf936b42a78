import { Type } from 'typebox';
import type { Refusal } from '#kernel/base/failures.ts';
import { flagRefusal } from './refusals.ts';
import { didYouMean, nearSpellings } from '#kernel/base/spelling.ts';
import { defineRoute, type AnswerContext, type DecisionRoute } from '#kernel/snapshots/module.ts';
import { explain } from './decisions/explain.ts';
import type { ExperienceTable } from './decisions/table.ts';
import { wrongValues } from './decisions/wrong-values.ts';
import { forcedProblem } from './ofrep.ts';

/** The limit of an OFREP context. */
const CONTEXT_BYTES_MAX = 64 * 1024;

const text = (description: string) => Type.String({ minLength: 1, maxLength: 500, description });

/** Backline's own flag routes. `explain` answers as if nothing were on record, unless the request states the record. */
export function flagRoutes(random: () => number): readonly DecisionRoute<ExperienceTable>[] {
  return [
    defineRoute({
      path: '/v1/flags/explain',
      access: 'insight',
      summary: 'Explains the value of a flag for one context: each rule and experiment that was evaluated.',
      forServers: true,
      explains: true,
      bodyBytesMax: CONTEXT_BYTES_MAX,
      input: Type.Object(
        {
          flag: text('Name of the Flag.'),
          context: Type.Optional(
            Type.Record(Type.String(), Type.Unknown(), { description: 'Attributes; targetingKey names the listener.' }),
          ),
          kept: Type.Optional(
            Type.Record(Type.String(), Type.String(), {
              description: 'Variants to assume on record, by EXPERIMENT/ITERATION.',
            }),
          ),
          forced: Type.Optional(
            Type.Record(Type.String(), Type.String(), { description: 'Forced variants, by flag.' }),
          ),
        },
        { additionalProperties: false },
      ),
      answer: Type.Object({
        flag: Type.String(),
        variant: Type.Optional(Type.String()),
        value: Type.Optional(Type.Unknown()),
        rule: Type.Optional(Type.String({ description: 'The decisive rule.' })),
        reason: Type.Object({ code: Type.String(), message: Type.String() }),
        steps: Type.Array(Type.Object({ step: Type.String(), says: Type.String() })),
      }),
      handle: ({ flag: name, context = {}, kept = {}, forced }, { table, now }: AnswerContext<ExperienceTable>) => {
        const flag = table.flags.get(name);
        if (flag === undefined) {
          const near = didYouMean(nearSpellings(name, table.flags.keys()));
          throw invalid(['flag'], `There is no flag "${name}"${near}.`);
        }
        const { refused, evaluation } = wrongValues(context, table);
        const [problem] = refused;
        if (problem !== undefined) throw invalid(['context', ...problem.path], problem.detail);
        const wrong = forcedProblem(forced, table);
        if (wrong !== undefined) throw invalid(['forced'], wrong);
        return explain(table, flag, {
          context,
          nowMs: now.epochMilliseconds,
          random,
          ...evaluation,
          kept: new Map(Object.entries(kept)),
          ...(forced === undefined ? {} : { forced }),
        });
      },
    }),
  ];
}

function invalid(path: readonly (string | number)[], detail: string): Refusal {
  return flagRefusal('invalid-question', detail, {
    problems: [{ path, reason: 'FieldValueInvalid', detail }],
  });
}
