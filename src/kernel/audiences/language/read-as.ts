import coerceVersion from 'semver/functions/coerce.js';
import parseVersion from 'semver/functions/parse.js';
import type { AttributeType } from './attributes.ts';
import { paddedVersion } from './growthbook-version.ts';
import { epochMs } from './instant.ts';
import { parseAddress } from './ip.ts';
import type { Condition } from './language.ts';

type ReadForm = NonNullable<Condition['as']>;

/** The type whose tests apply to a text that is read this way; a version of GrowthBook has tests of its own. */
export function typeOfForm(as: ReadForm): AttributeType {
  if (as === 'partial-semver') return 'semver';
  return as === 'growthbook-version' ? 'string' : as;
}

/** Longer texts are no real numbers, instants, versions or addresses. */
const READ_CHARS_MAX = 256;

/** Reads a value, mostly a text, as another type; undefined when it is not readable as one. */
export function readAs(as: ReadForm, value: unknown): string | number | undefined {
  if (typeof value === 'string' && value.length > READ_CHARS_MAX) return undefined;
  switch (as) {
    case 'number':
      return readNumber(value);
    case 'timestamp':
      return epochMs(value);
    case 'semver':
      return typeof value === 'string' ? parseVersion(value)?.version : undefined;
    case 'partial-semver':
      return typeof value === 'string' || typeof value === 'number' ? partialVersion(String(value)) : undefined;
    case 'ip':
      return typeof value === 'string' && parseAddress(value) !== undefined ? value : undefined;
    case 'growthbook-version':
      return paddedVersion(value);
    default:
      return as satisfies never;
  }
}

/** As JavaScript's `Number` reads a text: the empty text is 0. Infinity lies beyond every bound. */
function readNumber(value: unknown): number | undefined {
  if (typeof value !== 'number' && typeof value !== 'string') return undefined;
  const number = Number(value);
  if (Number.isNaN(number)) return undefined;
  return Math.min(Number.MAX_VALUE, Math.max(-Number.MAX_VALUE, number));
}

/** A version that may lack its last parts and may begin with v or V. Source: `normalizeVersion` of flagd-core. */
export function partialVersion(text: string): string | undefined {
  const bare = text.replace(/^[vV]/, '');
  const whole = parseVersion(bare);
  if (whole !== null) return whole.version;
  return /^\d+(\.\d+)?$/.test(bare) ? coerceVersion(bare)?.version : undefined;
}
