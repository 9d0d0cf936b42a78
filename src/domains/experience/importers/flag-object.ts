import type { Path } from '#kernel/base/failures.ts';
import type { AudienceRule } from '#kernel/audiences/language/language.ts';
import type { ExperimentSpec } from '../kinds/experiment-spec.ts';
import type { FlagSpec } from '../kinds/flag-spec.ts';
import { EXPERIMENT, FLAG, GROUP, VERSION } from '../kinds/identity.ts';
import { toRule, type Expression } from './expression.ts';
import type { Translation } from './import-result.ts';

const TITLE_CHARS_MAX = 200;

interface About {
  readonly key: string;
  readonly title?: string | null | undefined;
  readonly path: Path;
  readonly annotations?: Readonly<Record<string, string>>;
  readonly names: ReadonlyMap<string, string>;
}

/** A Flag with the key of the source. */
export function flagObject({ key, title, path, annotations, names }: About, spec: FlagSpec): Translation {
  const name = names.get(key) ?? key;
  const metadata = { name, ...(annotations === undefined ? {} : { annotations: { ...annotations } }) };
  const object = {
    apiVersion: `${GROUP}/${VERSION}`,
    kind: FLAG.slice(GROUP.length + 1),
    metadata,
    spec: { ...titleField(title), ...(name === key ? {} : { key }), ...spec },
  };
  return { object, path };
}

export function experimentObject(
  { name, title, path }: { readonly name: string; readonly title?: string | undefined; readonly path: Path },
  spec: ExperimentSpec,
): Translation {
  const kind = EXPERIMENT.slice(GROUP.length + 1);
  return {
    object: { apiVersion: `${GROUP}/${VERSION}`, kind, metadata: { name }, spec: { ...titleField(title), ...spec } },
    path,
  };
}

function titleField(title: string | null | undefined): { title?: string } {
  const text = title ?? '';
  if (text === '') return {};
  return { title: text.length <= TITLE_CHARS_MAX ? text : `${text.slice(0, TITLE_CHARS_MAX - 1)}…` };
}

/** Targeting fields of a rule: a lone audience by name, otherwise an inline rule. Undefined when it matches nobody. */
export function whoFields(
  who: Expression,
  path: Path,
): { readonly audience?: string; readonly when?: AudienceRule } | undefined {
  const rule = toRule(who, path);
  if (rule === false) return undefined;
  if (rule === true) return {};
  const [group] = rule.anyOf;
  const { audience, not = false } = group?.allOf[0] ?? {};
  const isAlone = rule.anyOf.length === 1 && group?.allOf.length === 1;
  return isAlone && audience !== undefined && !not ? { audience } : { when: rule };
}
