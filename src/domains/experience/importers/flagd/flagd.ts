import { canonicalJson } from '#kernel/base/ids.ts';
import type { Path } from '#kernel/base/failures.ts';
import type { FlagRule, FlagSpec } from '../../kinds/flag-spec.ts';
import { AttributeBook } from '../attribute-book.ts';
import { all, not, type Expression } from '../expression.ts';
import { flagObject, whoFields } from '../flag-object.ts';
import { UnsupportedSource } from '../unsupported-source.ts';
import { madeOrNoted, type ImportResult, type ImportOptions, type Translation, type Note } from '../import-result.ts';
import { keepSound } from '../keep-sound.ts';
import { objectNames } from '../object-names.ts';
import { parseFlagd, type FlagdFlag } from './definition.ts';
import { inferTypes } from './infer-types.ts';
import { isConstant, type Constant } from './operand.ts';
import { casesOf, type Cases, type Targeting } from './targeting.ts';

/** Annotation that keeps the flag's metadata; answers do not include it. */
const METADATA_ANNOTATION = 'experience.backline.dev/flagd-metadata';

/**
 * Translates a flagd definition to Flags with the same variants. Assignments are equal for all contexts whose
 * attributes have the declared types; others are refused at evaluation.
 *
 * Proven against @openfeature/flagd-core.
 */
export function importFlagd(document: unknown, options: ImportOptions = {}): ImportResult {
  const notes: Note[] = [];
  const { flags, metadata: shared } = parseFlagd(document);
  const kindOf = inferTypes(flags, options, notes);
  const attributes = new AttributeBook((name) => kindOf(name, []), options.targetingKey);
  const names = objectNames(Object.keys(flags));
  const made = Object.entries(flags).flatMap(([key, flag]): readonly Translation[] => {
    const targeting: Targeting = {
      flagKey: key,
      algorithm: options.bucketing ?? 'flagd-v2',
      compiled: true,
      kindOf: (attribute, at) => {
        // The translation depends on the type, so the type must be declared even when no condition remains.
        attributes.name(attribute, at);
        return attribute === options.targetingKey ? { type: 'string' } : kindOf(attribute, at);
      },
      name: (attribute, at) => attributes.name(attribute, at),
    };
    const metadata = { ...shared, ...flag.metadata };
    const annotations =
      Object.keys(metadata).length === 0 ? undefined : { [METADATA_ANNOTATION]: canonicalJson(metadata) };
    return (
      madeOrNoted(notes, () => {
        attributes.takeNames();
        const path = ['flags', key];
        options.inexact?.refuseIn(path);
        const spec = flagSpecOf(flag, path, targeting);
        const about = { key, path, names, ...(annotations === undefined ? {} : { annotations }) };
        return [{ ...flagObject(about, spec), attributes: attributes.takeNames() }];
      }) ?? []
    );
  });
  return keepSound([...attributes.translations(), ...made], notes);
}

function flagSpecOf(flag: FlagdFlag, path: Path, targeting: Targeting): FlagSpec {
  const { variants, state, targeting: logic } = flag;
  const fallback = flag.defaultVariant ?? '';
  const types = new Set(Object.values(variants).map((value) => (value === null ? 'null' : typeof value)));
  const [type = 'nothing'] = types;
  if (types.size > 1 || (type !== 'boolean' && type !== 'string' && type !== 'number' && type !== 'object'))
    throw new UnsupportedSource(
      [...path, 'variants'],
      `the values are of the types ${[...types].join(', ')}; a flag has one`,
    );
  // flagd treats values without keys, like {}, true and 1, as no targeting.
  const hasTargeting = logic !== undefined && logic !== null && Object.keys(logic).length > 0;
  const at = [...path, 'targeting'];
  const rules = hasTargeting ? rulesOf(casesOf(logic, at, targeting), { variants, fallback, path: at }) : [];
  return {
    type,
    enabled: state === 'ENABLED',
    variants: Object.entries(variants).map(([name, value]) => ({ name, value })),
    ...(fallback === '' ? {} : { default: fallback }),
    ...(rules.length === 0 ? {} : { rules }),
  };
}

/** Cases as rules. Null is the default variant; without a default, its listeners must pass all rules. */
function rulesOf(
  cases: Cases,
  { variants, fallback, path }: { variants: FlagdFlag['variants']; fallback: string; path: Path },
): FlagRule[] {
  const rules: FlagRule[] = [];
  const past: Expression[] = [];
  for (const { when, gives } of cases) {
    const who = whoFields(all([when, ...past]), path);
    if (who === undefined) continue;
    const name = `rule-${rules.length + 1}`;
    if (gives === null && fallback === '') past.push(not(when));
    else if (isConstant(gives)) rules.push({ name, ...who, serve: variantOf(gives) });
    else {
      const split = gives.variants.map(({ variant, weight }) => ({ variant: variantOf(variant), weight }));
      rules.push({ name, ...who, split, unit: [gives.unit], bucketing: gives.bucketing });
    }
    if (when === true) break;
  }
  while (rules.length > 0 && rules.at(-1)?.serve === fallback) rules.pop();
  return rules;

  function variantOf(value: Constant): string {
    if (value === null && fallback !== '') return fallback;
    if (value === null) throw new UnsupportedSource(path, 'a bucket without a variant needs a default variant');
    const name = String(value);
    if (!Object.hasOwn(variants, name)) {
      const there = Object.keys(variants).join(', ');
      throw new UnsupportedSource(
        path,
        `targeting may give "${name}", which flagd reports as an error; the variants are ${there}`,
      );
    }
    return name;
  }
}
