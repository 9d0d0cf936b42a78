import { Type, type Static } from 'typebox';
import type { Path } from '#kernel/base/failures.ts';
import { isRecord } from '#kernel/base/is-record.ts';
import { format, notSuch, parseDocument } from '../parse-document.ts';

const Range = Type.Tuple([Type.Number(), Type.Number()]);
const ConditionSchema = Type.Record(Type.String(), Type.Unknown());

const RuleSchema = Type.Object({
  id: Type.Optional(Type.String()),
  condition: Type.Optional(ConditionSchema),
  parentConditions: Type.Optional(
    Type.Array(
      Type.Object({
        id: Type.String(),
        condition: Type.Optional(ConditionSchema),
        gate: Type.Optional(Type.Boolean()),
      }),
    ),
  ),
  force: Type.Optional(Type.Unknown()),
  variations: Type.Optional(Type.Array(Type.Unknown())),
  contextualVariations: Type.Optional(Type.Array(Type.Unknown())),
  contextualBanditRef: Type.Optional(Type.String()),
  tracks: Type.Optional(Type.Array(Type.Unknown())),
  weights: Type.Optional(Type.Array(Type.Number())),
  key: Type.Optional(Type.String()),
  name: Type.Optional(Type.String()),
  hashAttribute: Type.Optional(Type.String()),
  fallbackAttribute: Type.Optional(Type.String()),
  hashVersion: Type.Optional(Type.Number()),
  disableStickyBucketing: Type.Optional(Type.Boolean()),
  bucketVersion: Type.Optional(Type.Number()),
  minBucketVersion: Type.Optional(Type.Number()),
  range: Type.Optional(Range),
  coverage: Type.Optional(Type.Number()),
  namespace: Type.Optional(Type.Tuple([Type.String(), Type.Number(), Type.Number()])),
  ranges: Type.Optional(Type.Array(Range)),
  meta: Type.Optional(
    Type.Array(
      Type.Object({
        key: Type.Optional(Type.String()),
        name: Type.Optional(Type.String()),
        passthrough: Type.Optional(Type.Boolean()),
      }),
    ),
  ),
  filters: Type.Optional(
    Type.Array(
      Type.Object({
        attribute: Type.Optional(Type.String()),
        seed: Type.String(),
        hashVersion: Type.Optional(Type.Number()),
        ranges: Type.Array(Range),
      }),
    ),
  ),
  seed: Type.Optional(Type.String()),
});

const FeatureSchema = Type.Object({
  defaultValue: Type.Optional(Type.Unknown()),
  rules: Type.Optional(Type.Array(RuleSchema)),
});

const SavedGroupSchema = Type.Union([
  Type.Array(Type.Unknown()),
  Type.Object({
    type: Type.Literal('list'),
    attributeKey: Type.Optional(Type.String()),
    values: Type.Array(Type.Unknown()),
  }),
  Type.Object({ type: Type.Literal('condition'), condition: ConditionSchema }),
]);

export type GrowthbookCondition = Static<typeof ConditionSchema>;
export type GrowthbookRule = Static<typeof RuleSchema>;
export type GrowthbookFeature = Static<typeof FeatureSchema>;
export type SavedGroup = Static<typeof SavedGroupSchema>;

const NAME = 'payload of GrowthBook';
const REMEDY =
  'Use the answer of GET /api/features/CLIENT_KEY of GrowthBook: {"features":{"…":{"defaultValue":…,"rules":[…]}},"savedGroups":{…}}; or its features alone.';

const PayloadSchema = Type.Object({
  features: Type.Record(Type.String(), FeatureSchema),
  savedGroups: Type.Optional(Type.Record(Type.String(), SavedGroupSchema)),
  experiments: Type.Optional(Type.Array(Type.Unknown())),
});
const PAYLOAD = format(NAME, PayloadSchema, REMEDY);

type GrowthbookPayload = Static<typeof PayloadSchema> & {
  /** Position of the features in the document. */
  readonly path: Path;
};

/** Parses the answer of the SDK endpoint, or bare features. Throws a Refusal for anything else. */
export function parseGrowthbook(document: unknown): GrowthbookPayload {
  if (isRecord(document) && typeof document['encryptedFeatures'] === 'string') {
    throw notSuch(
      { name: NAME, remedy: REMEDY },
      'its features are encrypted; decrypt them, or use the key of a connection without encryption',
    );
  }
  const isAlone =
    isRecord(document) &&
    !('features' in document) &&
    Object.values(document).some((each) => isRecord(each) && ('defaultValue' in each || 'rules' in each));
  return isAlone
    ? { ...parseDocument(PAYLOAD, { features: document }), path: [] }
    : { ...parseDocument(PAYLOAD, document), path: ['features'] };
}
