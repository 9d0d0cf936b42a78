import { EMPTY_HISTORY, type AdHistory, type ExposureGroup, type KeptExposure } from '../rules/ad-history.ts';

/**
 * A history in bytes, 11 for each exposure: `format, baseMs, groups`; a group is `owners, keepMs, exposures`, an exposure
 * `id, hasPlayed, ms after base`. Lists begin with their length. No bytes are an empty history.
 */
const FORMAT = 1;
const NUMBER_BYTES = 6;
const HEAD_BYTES = 1 + NUMBER_BYTES + 2;
const GROUP_BYTES = 1 + 4 + 2;
const EXPOSURE_BYTES = NUMBER_BYTES + 1 + 4;
/** 49 days: more than the longest window and the life of a token. */
const SPAN_MS_MAX = 2 ** 32 - 1;

export function encodeHistory({ groups }: AdHistory): Buffer {
  if (groups.length === 0) return Buffer.alloc(0);
  let size = HEAD_BYTES;
  let baseMs = Infinity;
  for (const { owners, exposures } of groups) {
    size += GROUP_BYTES + owners.length * NUMBER_BYTES + exposures.length * EXPOSURE_BYTES;
    for (const { ms } of exposures) baseMs = Math.min(baseMs, ms);
  }
  const bytes = Buffer.allocUnsafe(size);
  let at = bytes.writeUInt8(FORMAT, 0);
  at = bytes.writeUIntLE(baseMs, at, NUMBER_BYTES);
  at = bytes.writeUInt16LE(groups.length, at);
  for (const { owners, keepMs, exposures } of groups) {
    at = bytes.writeUInt8(owners.length, at);
    at = bytes.writeUInt32LE(keepMs, at);
    at = bytes.writeUInt16LE(exposures.length, at);
    for (const owner of owners) at = bytes.writeUIntLE(owner, at, NUMBER_BYTES);
    for (const { id, hasPlayed, ms } of exposures) {
      at = bytes.writeUIntLE(id, at, NUMBER_BYTES);
      at = bytes.writeUInt8(hasPlayed ? 1 : 0, at);
      at = bytes.writeUInt32LE(Math.min(ms - baseMs, SPAN_MS_MAX), at);
    }
  }
  return bytes;
}

export function decodeHistory(bytes: Buffer): AdHistory {
  if (bytes.length === 0) return EMPTY_HISTORY;
  const format = bytes.readUInt8(0);
  if (format !== FORMAT) throw new Error(`an ad history has the format ${format}; this program reads ${FORMAT}`);
  const baseMs = bytes.readUIntLE(1, NUMBER_BYTES);
  const groups: ExposureGroup[] = [];
  let at = HEAD_BYTES;
  for (let left = bytes.readUInt16LE(1 + NUMBER_BYTES); left > 0; left -= 1) {
    const ownersCount = bytes.readUInt8(at);
    const keepMs = bytes.readUInt32LE(at + 1);
    const exposuresCount = bytes.readUInt16LE(at + 5);
    at += GROUP_BYTES;
    const owners: number[] = [];
    for (const end = at + ownersCount * NUMBER_BYTES; at < end; at += NUMBER_BYTES) {
      owners.push(bytes.readUIntLE(at, NUMBER_BYTES));
    }
    const exposures: KeptExposure[] = [];
    for (const end = at + exposuresCount * EXPOSURE_BYTES; at < end; at += EXPOSURE_BYTES) {
      exposures.push({
        id: bytes.readUIntLE(at, NUMBER_BYTES),
        hasPlayed: bytes.readUInt8(at + NUMBER_BYTES) === 1,
        ms: baseMs + bytes.readUInt32LE(at + NUMBER_BYTES + 1),
      });
    }
    groups.push({ owners, keepMs, exposures });
  }
  return { groups };
}
