import { Type, type Static } from 'typebox';
import type { Path } from '#kernel/base/failures.ts';
import { isRecord } from '#kernel/base/is-record.ts';
import type { Note } from '../import-result.ts';
import { format, notSuch, parseDocument } from '../parse-document.ts';

const nullable = <Schema extends Type.TSchema>(schema: Schema) => Type.Optional(Type.Union([schema, Type.Null()]));
const Scalar = Type.Union([Type.String(), Type.Number(), Type.Boolean(), Type.Null()]);

const ConstraintSchema = Type.Object({
  contextName: Type.String(),
  operator: Type.String(),
  values: nullable(Type.Array(Type.String())),
  value: nullable(Type.Union([Type.String(), Type.Number()])),
  inverted: nullable(Type.Boolean()),
  caseInsensitive: nullable(Type.Boolean()),
});

const VariantSchema = Type.Object({
  name: Type.String(),
  weight: Type.Number(),
  stickiness: nullable(Type.String()),
  payload: nullable(Type.Object({ type: Type.String(), value: Type.Unknown() })),
  overrides: nullable(Type.Array(Type.Object({ contextName: Type.String(), values: Type.Array(Type.String()) }))),
});

const StrategySchema = Type.Object({
  name: Type.String(),
  parameters: nullable(Type.Record(Type.String(), Scalar)),
  constraints: nullable(Type.Array(ConstraintSchema)),
  segments: nullable(Type.Array(Type.Number())),
  variants: nullable(Type.Array(VariantSchema)),
});

const FeatureSchema = Type.Object({
  name: Type.String({ minLength: 1 }),
  description: nullable(Type.String()),
  enabled: Type.Boolean(),
  strategies: Type.Array(StrategySchema),
  variants: nullable(Type.Array(VariantSchema)),
  dependencies: nullable(
    Type.Array(
      Type.Object({
        feature: Type.String(),
        enabled: nullable(Type.Boolean()),
        variants: nullable(Type.Array(Type.String())),
      }),
    ),
  ),
});

const SegmentSchema = Type.Object({
  id: Type.Number(),
  name: nullable(Type.String()),
  constraints: nullable(Type.Array(ConstraintSchema)),
});

export type Constraint = Static<typeof ConstraintSchema>;
export type UnleashVariant = Static<typeof VariantSchema>;
export type Strategy = Static<typeof StrategySchema>;
export type Feature = Static<typeof FeatureSchema>;
type Segment = Static<typeof SegmentSchema>;

const NAME = 'state of Unleash';
const REMEDY =
  'Use the answer of GET /api/client/features of Unleash to a client token: {"version":2,"features":[{"name":"…","enabled":true,"strategies":[…]}],"segments":[…]}; or the {"events":[…]} of its delta API.';

const FULL = format(
  NAME,
  Type.Object({ features: Type.Array(FeatureSchema), segments: nullable(Type.Array(SegmentSchema)) }),
  REMEDY,
);
const DELTA = format(NAME, Type.Object({ events: Type.Array(Type.Object({ type: Type.String() })) }), REMEDY);
const EVENTS = {
  'feature-updated': Type.Object({ feature: FeatureSchema }),
  'feature-removed': Type.Object({ featureName: Type.String() }),
  'segment-updated': Type.Object({ segment: SegmentSchema }),
  'segment-removed': Type.Object({ segmentId: Type.Number() }),
  hydration: Type.Object({ features: Type.Array(FeatureSchema), segments: nullable(Type.Array(SegmentSchema)) }),
};

/** A part of the state with its position in the document. */
export interface DocumentPart<Value> {
  readonly value: Value;
  readonly path: Path;
}

/** The SDK's view of the state: of several with one name or id the last counts. */
export interface UnleashState {
  readonly features: ReadonlyMap<string, DocumentPart<Feature>>;
  readonly segments: ReadonlyMap<number, DocumentPart<Segment>>;
}

/** Parses a full state, or applies the events of a delta in order. Throws a Refusal for anything else. */
export function parseUnleash(document: unknown, notes: Note[]): UnleashState {
  if (isRecord(document) && ('featureStrategies' in document || 'featureEnvironments' in document)) {
    const because = 'it is an export of the admin API, whose segments lack their constraints';
    throw notSuch({ name: NAME, remedy: REMEDY }, because);
  }
  const features = new Map<string, DocumentPart<Feature>>();
  const segments = new Map<number, DocumentPart<Segment>>();
  const fill = (known: { features: Feature[]; segments?: Segment[] | null }, path: Path) => {
    features.clear();
    segments.clear();
    for (const [index, value] of known.features.entries())
      features.set(value.name, { value, path: [...path, 'features', index] });
    for (const [index, value] of (known.segments ?? []).entries())
      segments.set(value.id, { value, path: [...path, 'segments', index] });
  };
  if (!isRecord(document) || !('events' in document)) {
    fill(parseDocument(FULL, document), []);
    return { features, segments };
  }
  for (const [index, event] of parseDocument(DELTA, document).events.entries()) {
    const path = ['events', index];
    const parse = <Schema extends Type.TSchema>(schema: Schema) =>
      parseDocument(format(`${NAME} at /events/${index}, an event ${event.type}`, schema, REMEDY), event);
    switch (event.type) {
      case 'feature-updated': {
        const { feature } = parse(EVENTS['feature-updated']);
        features.set(feature.name, { value: feature, path: [...path, 'feature'] });
        break;
      }
      case 'feature-removed':
        features.delete(parse(EVENTS['feature-removed']).featureName);
        break;
      case 'segment-updated': {
        const { segment } = parse(EVENTS['segment-updated']);
        segments.set(segment.id, { value: segment, path: [...path, 'segment'] });
        break;
      }
      case 'segment-removed':
        segments.delete(parse(EVENTS['segment-removed']).segmentId);
        break;
      case 'hydration':
        fill(parse(EVENTS.hydration), path);
        break;
      default:
        notes.push({ path, says: `an event "${event.type}" is unknown; SDKs of Unleash skip it as well` });
    }
  }
  return { features, segments };
}
