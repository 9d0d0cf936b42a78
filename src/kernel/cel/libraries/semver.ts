import { SemVer } from 'semver';
import { CelError } from '../cel-error.ts';
import { TEXTS_COST, method, noOverload, overload, type CelFunction, type Library } from '../functions.ts';
import { BOOL, INT, opaque, STRING } from '../types.ts';
import { Opaque, type Value } from '../values.ts';

const SEMVER = opaque('kubernetes.Semver');
const STRICT = /^\d+\.\d+\.\d+(?:-[0-9A-Za-z.-]+)?(?:\+[0-9A-Za-z.-]+)?$/;

class Version extends Opaque {
  readonly typeName = 'kubernetes.Semver';
  readonly version: SemVer;
  readonly key: string;

  constructor(version: SemVer) {
    super();
    this.version = version;
    this.key = version.version;
  }
}

/** Versions by Semantic Versioning 2.0.0. */
export const SEMVERS: Library = {
  functions: [
    {
      name: 'semver',
      overloads: [overload([STRING], SEMVER), overload([STRING, BOOL], SEMVER)],
      call: (text: Value, isLoose: Value = false) => {
        const found = parse('semver', text, isLoose);
        if (found === undefined) throw new CelError(`"${String(text)}" is no version like 1.2.3`);
        return new Version(found);
      },
      cost: TEXTS_COST,
    },
    {
      name: 'isSemver',
      overloads: [overload([STRING], BOOL), overload([STRING, BOOL], BOOL)],
      call: (text: Value, isLoose: Value = false) => parse('isSemver', text, isLoose) !== undefined,
      cost: TEXTS_COST,
    },
    part('major', ({ major }) => major),
    part('minor', ({ minor }) => minor),
    part('patch', ({ patch }) => patch),
    comparing('isLessThan', BOOL, (order) => order < 0),
    comparing('isGreaterThan', BOOL, (order) => order > 0),
    comparing('compareTo', INT, (order) => order),
  ],
  types: { 'kubernetes.Semver': SEMVER },
};

/** @param isLoose takes a `v` before it, leading zeros, and fewer than three numbers */
function parse(name: string, text: Value, isLoose: Value): SemVer | undefined {
  if (typeof text !== 'string' || typeof isLoose !== 'boolean') throw noOverload(name, text, isLoose);
  const written = isLoose ? normalize(text) : text;
  if (!STRICT.test(written)) return undefined;
  try {
    return new SemVer(written);
  } catch {
    return undefined;
  }
}

function normalize(text: string): string {
  const [, core = '', rest = ''] = /^v?([\d.]+)(.*)$/s.exec(text) ?? [];
  const numbers = core.split('.').map((number) => number.replace(/^0+(?=\d)/, ''));
  while (numbers.length < 3 && rest === '') numbers.push('0');
  return numbers.join('.') + rest;
}

function versionIn(name: string, value: Value): SemVer {
  if (!(value instanceof Version)) throw noOverload(name, value);
  return value.version;
}

function part(name: string, of: (version: SemVer) => number): CelFunction {
  return { name, overloads: [method([SEMVER], INT)], call: (value: Value) => of(versionIn(name, value)) };
}

function comparing(name: string, result: typeof INT, of: (order: number) => Value): CelFunction {
  return {
    name,
    overloads: [method([SEMVER, SEMVER], result)],
    call: (a: Value, b: Value) => of(versionIn(name, a).compare(versionIn(name, b))),
  };
}
