import type { Path } from '#kernel/base/failures.ts';
import type { JsonObject } from '#kernel/kinds/schema/own.ts';
import { parseJson } from '../text/json.ts';
import { malformedProtobuf } from '../text/malformed-body.ts';
import { exact, list, map, message, one } from './message.ts';

/** Messages that all kinds share, with the numbers of k8s.io/apimachinery's .proto files. */

const TIME = { 1: exact('seconds', 'int64'), 2: exact('nanos', 'int32') };

/** A time to the second, as Kubernetes reads it; an empty message is no time. */
export const Time = message(TIME, (value, path) => timeText(value, path, 'second'));
export const MicroTime = message(TIME, (value, path) => timeText(value, path, 'microsecond'));

/** The range of RFC 3339. */
const SECONDS = { min: Date.parse('0001-01-01T00:00:00Z') / 1000, max: Date.parse('9999-12-31T23:59:59Z') / 1000 };
const NANOS_MAX = 999_999_999;

function timeText({ seconds, nanos }: JsonObject, path: Path, smallestUnit: 'second' | 'microsecond') {
  if (seconds === undefined && nanos === undefined) return undefined;
  const [whole, part] = [Number(seconds ?? 0), Number(nanos ?? 0)];
  if (whole < SECONDS.min || whole > SECONDS.max || part < 0 || part > NANOS_MAX) {
    throw malformedProtobuf(path, `${whole} seconds and ${part} nanoseconds are no time between the years 1 and 9999`);
  }
  const instant = Temporal.Instant.fromEpochMilliseconds(whole * 1000).add({ nanoseconds: part });
  return instant.toString({ smallestUnit, roundingMode: 'floor' });
}

/** Of the JSON of managed fields; theirs has ten. */
const FIELDS_CHARS_PER_VALUE = 4;

/** The tree of managed fields travels as JSON. */
const FieldsV1 = message({ 1: one('Raw') }, ({ Raw }, _path, spend) => {
  if (typeof Raw !== 'string') return undefined;
  spend(Raw.length / FIELDS_CHARS_PER_VALUE);
  return parseJson(Raw).value;
});

const OwnerReference = message({
  1: exact('kind'),
  3: exact('name'),
  4: exact('uid'),
  5: exact('apiVersion'),
  6: exact('controller', 'bool'),
  7: exact('blockOwnerDeletion', 'bool'),
});

const ManagedFieldsEntry = message({
  1: one('manager'),
  2: one('operation'),
  3: one('apiVersion'),
  4: one('time', Time),
  6: one('fieldsType'),
  7: one('fieldsV1', FieldsV1),
  8: one('subresource'),
});

export const ObjectMeta = message({
  1: one('name'),
  2: one('generateName'),
  3: one('namespace'),
  4: one('selfLink'),
  5: one('uid'),
  6: one('resourceVersion'),
  7: one('generation', 'int64'),
  8: one('creationTimestamp', Time),
  9: one('deletionTimestamp', Time),
  10: exact('deletionGracePeriodSeconds', 'int64'),
  11: map('labels'),
  12: map('annotations'),
  13: list('ownerReferences', OwnerReference),
  14: list('finalizers'),
  17: list('managedFields', ManagedFieldsEntry),
});

export const LabelSelectorRequirement = message({ 1: exact('key'), 2: exact('operator'), 3: list('values') });

export const LabelSelector = message({
  1: map('matchLabels'),
  2: list('matchExpressions', LabelSelectorRequirement),
});

export const DeleteOptions = message({
  1: exact('gracePeriodSeconds', 'int64'),
  2: one('preconditions', message({ 1: exact('uid'), 2: exact('resourceVersion') })),
  3: exact('orphanDependents', 'bool'),
  4: exact('propagationPolicy'),
  5: list('dryRun'),
  6: exact('ignoreStoreReadErrorWithClusterBreakingPotential', 'bool'),
});
