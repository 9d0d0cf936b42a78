import type { Path } from '#kernel/base/failures.ts';
import { contentHash } from '#kernel/base/ids.ts';
import { AUDIENCE, GROUP as AUDIENCES, VERSION as AUDIENCES_VERSION } from '#kernel/audiences/language/identity.ts';
import { isRecord } from '#kernel/base/is-record.ts';
import { AttributeBook } from '../attribute-book.ts';
import { leaf, not, toRule, type Expression } from '../expression.ts';
import { UnsupportedSource } from '../unsupported-source.ts';
import { madeOrNoted, type ImportResult, type ImportOptions, type Translation, type Note } from '../import-result.ts';
import { keepSound } from '../keep-sound.ts';
import { objectNames } from '../object-names.ts';
import { conditionExpression, type Subjects } from './condition.ts';
import { importFeature } from './feature.ts';
import { inferTypes } from './infer-types.ts';
import { parseGrowthbook, type SavedGroup } from './payload.ts';

/**
 * Translates a GrowthBook payload: features to Flags, experiments to Experiments, saved groups to Audiences.
 * Assignments are equal for all contexts whose attributes have the declared types; others are refused at
 * evaluation.
 *
 * Proven against @growthbook/growthbook.
 */
export function importGrowthbook(document: unknown, options: ImportOptions = {}): ImportResult {
  const notes: Note[] = [];
  const { features, savedGroups = {}, experiments = [], path } = parseGrowthbook(document);
  if (experiments.length > 0) {
    const says = `${experiments.length} visual and redirect experiments are left out: they change pages, not flags`;
    notes.push({ path: ['experiments'], says, leftOut: true });
  }
  const kindOf = inferTypes(features, savedGroups, { ...options, path });
  const attributes = new AttributeBook((name) => kindOf(name, []), options.targetingKey);
  const groups = new Groups(savedGroups, options.inexact);
  const subjects: Subjects = {
    kindOf: (attribute, at) => {
      // The translation depends on the type, so the type must be declared even when no condition remains.
      attributes.name(attribute, at);
      return attribute === options.targetingKey ? { type: 'string' } : kindOf(attribute, at);
    },
    name: (attribute, at) => attributes.name(attribute, at),
    inGroup: (id, attribute, at) => groups.list(id, attribute, at, subjects),
    savedGroup: (reference, at) => groups.referTo(reference, at, subjects),
  };
  const world = {
    features,
    subjects,
    attributes,
    notes,
    path,
    stickyBucketing: options.stickyBucketing === true,
    names: objectNames(Object.keys(features)),
    experiments: experimentNames(features),
  };
  const made = Object.keys(features).flatMap(
    (id) =>
      madeOrNoted(notes, () => {
        attributes.takeNames();
        options.inexact?.refuseIn([...path, id]);
        const [flag, ...others] = importFeature(id, world);
        return flag === undefined ? [] : [{ ...flag, attributes: attributes.takeNames() }, ...others];
      }) ?? [],
  );
  return keepSound([...attributes.translations(), ...groups.translations(), ...made], notes);
}

/** Experiment names by key and feature: the key alone where it is unique. */
function experimentNames(features: Readonly<Record<string, { rules?: { key?: string }[] }>>) {
  const uses = Object.entries(features).flatMap(([id, { rules = [] }]) => rules.map(({ key = id }) => key));
  const isShared = (key: string) => uses.filter((each) => each === key).length > 1;
  const label = (key: string, feature: string) => (isShared(key) ? `${key} of ${feature}` : key);
  const labels = Object.entries(features).flatMap(([id, { rules = [] }]) =>
    rules.map(({ key = id }) => label(key, id)),
  );
  const names = objectNames(labels);
  return (key: string, feature: string) => names.get(label(key, feature)) ?? key;
}

/** Saved groups as audiences, created on first use. */
class Groups {
  readonly #groups: Readonly<Record<string, SavedGroup>>;
  readonly #made = new Map<string, Translation>();
  readonly #inexactIn = new Map<string, string>();
  /** Groups being resolved, to detect loops. */
  readonly #open = new Set<string>();

  readonly #inexact: ImportOptions['inexact'];

  constructor(groups: Readonly<Record<string, SavedGroup>>, inexact: ImportOptions['inexact']) {
    this.#groups = groups;
    this.#inexact = inexact;
  }

  /** A group with a rounded number is untranslatable in every feature that uses it. */
  #refuse(id: string): void {
    if (this.#inexactIn.has(id)) throw new UnsupportedSource(['savedGroups', id], this.#inexactIn.get(id) ?? '');
    try {
      this.#inexact?.refuseIn(['savedGroups', id]);
    } catch (error) {
      if (error instanceof UnsupportedSource) this.#inexactIn.set(id, error.message);
      throw error;
    }
  }

  translations(): readonly Translation[] {
    return [...this.#made.values()];
  }

  /** Membership in a list; undefined for a group that is not a list, which makes the whole condition false. */
  list(id: string, attribute: string, path: Path, subjects: Subjects): Expression | undefined {
    this.#refuse(id);
    const group = Object.hasOwn(this.#groups, id) ? this.#groups[id] : [];
    const values = Array.isArray(group) ? group : group?.type === 'list' ? group.values : undefined;
    if (values === undefined) return undefined;
    const kind = subjects.kindOf(attribute, path);
    const fitting = [...new Set(values.filter((value) => typeof value === kind.type))];
    const name = subjects.name(attribute, path);
    const onNull = values.includes(null);
    if (fitting.length === 0) return onNull && not(leaf({ attribute: name, exists: true }));
    const condition = { attribute: name, in: fitting, absent: onNull ? ('match' as const) : ('noMatch' as const) };
    return this.#audience(`${id} ${attribute}`, leaf(condition), ['savedGroups', id]);
  }

  /** Resolves `$savedGroup`. A missing or malformed group matches nobody. */
  referTo(reference: unknown, path: Path, subjects: Subjects): Expression {
    if (!isRecord(reference)) return false;
    const { id, attributeKey } = reference;
    if (typeof id !== 'string' || !Object.hasOwn(this.#groups, id)) return false;
    this.#refuse(id);
    const group = this.#groups[id];
    if (group === undefined || Array.isArray(group)) return false;
    if (attributeKey !== undefined && typeof attributeKey !== 'string') return false;
    if (group.type === 'list') {
      const key = attributeKey ?? group.attributeKey;
      return key !== undefined && (this.list(id, key, path, subjects) ?? false);
    }
    if (this.#open.has(id)) throw new UnsupportedSource(path, `the saved group "${id}" refers to itself`);
    this.#open.add(id);
    try {
      const at = ['savedGroups', id];
      return this.#audience(id, conditionExpression(group.condition, [...at, 'condition'], subjects), at);
    } finally {
      this.#open.delete(id);
    }
  }

  #audience(key: string, expression: Expression, path: Path): Expression {
    const rule = toRule(expression, path, true);
    if (typeof rule === 'boolean') return rule;
    const slug = key
      .toLowerCase()
      .replace(/[^a-z0-9]+/g, '-')
      .slice(0, 100)
      .replace(/^-|-$/g, '');
    const name = ['growthbook', slug, contentHash(key).slice(0, 8)].filter((part) => part !== '').join('-');
    this.#made.set(name, {
      path,
      object: {
        apiVersion: `${AUDIENCES}/${AUDIENCES_VERSION}`,
        kind: AUDIENCE.slice(AUDIENCES.length + 1),
        metadata: { name },
        spec: { title: key.slice(0, 200), anyOf: rule.anyOf },
      },
    });
    return leaf({ audience: name });
  }
}
