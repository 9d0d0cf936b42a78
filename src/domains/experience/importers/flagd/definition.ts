import { Type, type Static } from 'typebox';
import { isRecord } from '#kernel/base/is-record.ts';
import { format, notSuch, parseDocument } from '../parse-document.ts';

const FlagSchema = Type.Object({
  state: Type.Union([Type.Literal('ENABLED'), Type.Literal('DISABLED')]),
  variants: Type.Record(Type.String(), Type.Unknown()),
  defaultVariant: Type.Optional(Type.Union([Type.String(), Type.Null()])),
  targeting: Type.Optional(Type.Unknown()),
  metadata: Type.Optional(Type.Record(Type.String(), Type.Unknown())),
});
const DefinitionSchema = Type.Object({
  flags: Type.Record(Type.String({ minLength: 1 }), FlagSchema),
  metadata: Type.Optional(Type.Record(Type.String(), Type.Unknown())),
});

export type FlagdFlag = Static<typeof FlagSchema>;

const NAME = 'flag definition of flagd';
const REMEDY =
  'It is JSON like {"flags":{"my-flag":{"state":"ENABLED","variants":{"on":true,"off":false},"defaultVariant":"off","targeting":{…}}}}.';
const DEFINITION = format(NAME, DefinitionSchema, REMEDY);

/** Parses a flag definition and resolves `$ref`. Throws a Refusal for anything else. */
export function parseFlagd(document: unknown): Static<typeof DefinitionSchema> {
  const definition = parseDocument(DEFINITION, resolveEvaluators(document));
  for (const [key, { defaultVariant, variants }] of Object.entries(definition.flags)) {
    if (typeof defaultVariant !== 'string' || defaultVariant === '' || Object.hasOwn(variants, defaultVariant))
      continue;
    const there = Object.keys(variants).join(', ');
    throw notSuch(
      { name: NAME, remedy: REMEDY },
      `/flags/${key}/defaultVariant is "${defaultVariant}", and there are ${there}`,
    );
  }
  return definition;
}

/** Replaces references by evaluators on the text, as flagd does, so that evaluators may refer to later ones. */
function resolveEvaluators(document: unknown): unknown {
  if (!isRecord(document) || !isRecord(document['$evaluators'])) return document;
  let text = JSON.stringify(document);
  for (const [key, evaluator] of Object.entries(document['$evaluators']))
    text = text.replaceAll(`{"$ref":"${key}"}`, () => JSON.stringify(evaluator));
  return JSON.parse(text) as unknown;
}
