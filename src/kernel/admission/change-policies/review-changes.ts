import type { Refusal } from '#kernel/base/failures.ts';
import { eachOf, type Steps } from '#kernel/base/turns.ts';
import { CelCostError, CelError } from '#kernel/cel/cel-error.ts';
import type { CelProgram, Purse } from '#kernel/cel/cel.ts';
import type { Value } from '#kernel/cel/values.ts';
import type { World } from '#kernel/kinds/kind.ts';
import type { KindRegistry } from '#kernel/kinds/registry.ts';
import { selects } from '#kernel/releases/rules/choose-policy.ts';
import type { Author, Change, Entry, Review, ReviewedRequest } from '#kernel/store/contract.ts';
import type { Admission } from '#kernel/store/rules/write.ts';
import { ADMISSION_GROUP } from '../kinds/match.ts';
import { admissionRefusal } from '../refusals.ts';
import { textOr } from '../rules/evaluate-policy.ts';
import { changeValue } from './change-value.ts';
import { ChangePolicy, EVERY_CHANGE_POLICY, type ChangePolicySpec } from './change-policy.ts';
import { compileRules, type CompiledRule, type PeopleSpec } from './compile-rules.ts';
import { LiveWorld } from './live-world.ts';

const LIMITS = {
  /** Units of one expression: a few milliseconds. */
  ruleCost: 200_000,
  /** Units of all expressions for one write: it is decided while others wait. */
  writeCost: 10_000_000,
  /** Messages in one refusal, warning or annotation. */
  messages: 10,
} as const;

/** Annotations in the audit record. */
const ANNOTATIONS = {
  brokenGlass: 'admission.backline.dev/break-glass',
  broken: 'admission.backline.dev/broken-rules',
} as const;

interface Policy {
  readonly name: string;
  readonly spec: ChangePolicySpec;
  readonly rules: readonly CompiledRule[];
}

/** A rule that a write breaks. */
interface Breach {
  readonly rule: CompiledRule;
  readonly message: string;
}

/**
 * Asks every ChangePolicy about the changes of a write from outside. Policies themselves are written without them, so that nobody
 * is locked out.
 * @param live the live world, for the sentences of plans
 */
export function changePolicies(kinds: KindRegistry, live: () => World): Pick<Admission, 'review'> {
  const compiled = new WeakMap<Entry, Policy>();
  return { review };

  function* review(request: ReviewedRequest): Steps<Review> {
    const { author, read } = request;
    const changes = request.changes.filter(({ entry: { kind } }) => !OWN_GROUPS.has(kind.group));
    const entries = read.find(ChangePolicy, EVERY_CHANGE_POLICY.index, EVERY_CHANGE_POLICY.value);
    if (author.caller === undefined || changes.length === 0 || entries.length === 0) return NOTHING;
    const remarks = { warnings: new Array<string>(), annotations: {} as Record<string, string> };
    const purse = { units: LIMITS.writeCost };
    let values: Values | undefined;
    for (const entry of entries) {
      const policy = compiled.get(entry) ?? compileEntry(entry);
      const selected = yield* selectedBy(policy.spec.selector, changes);
      if (selected.length === 0) continue;
      values ??= yield* valuesOf(request, changes);
      const breaches = yield* breachesOf(policy, selected, values, { author, purse });
      if (breaches.length > 0) note(policy, breaches, author, remarks);
    }
    return remarks;
  }

  function compileEntry(entry: Entry): Policy {
    const spec = ChangePolicy.spec(entry.object());
    const policy = { name: entry.name, spec, rules: compileRules(spec.rules).rules };
    compiled.set(entry, policy);
    return policy;
  }

  function* valuesOf(request: ReviewedRequest, changes: readonly Change[]): Steps<Values> {
    const { read, author, now } = request;
    const ofChange = changeValue({ kinds, live, read, now, changes });
    const ofEach = new Map<Change, Value>();
    yield* eachOf(changes, (change) => ofEach.set(change, ofChange(change)));
    return {
      ofEach,
      allChanges: [...ofEach.values()],
      live: new LiveWorld(read, kinds),
      request: { userInfo: { username: author.user, groups: [...(author.caller?.groups ?? [])] } },
    };
  }
}

/** The values that expressions know, for one write. */
interface Values {
  readonly ofEach: ReadonlyMap<Change, Value>;
  readonly allChanges: readonly Value[];
  readonly live: Value;
  readonly request: Value;
}

interface ReviewContext {
  readonly author: Author;
  readonly purse: Purse;
}

const OWN_GROUPS: ReadonlySet<string> = new Set([ADMISSION_GROUP, ChangePolicy.group]);
const NOTHING: Review = { warnings: [], annotations: {} };

function* breachesOf(
  { spec, rules }: Policy,
  selected: readonly Change[],
  { ofEach, ...shared }: Values,
  context: ReviewContext,
): Steps<readonly Breach[]> {
  const given = { ...shared, changes: selected.map((change) => ofEach.get(change) as Value) };
  const breaches: Breach[] = [];
  for (const rule of rules) {
    if (includes(rule.allowedBy, context.author)) continue;
    for (const one of rule.isOfEach ? selected : [undefined]) {
      const values = one === undefined ? given : { ...given, change: ofEach.get(one) };
      const message = brokenBy(rule, values, { spec, context });
      if (message !== undefined) {
        const of = one === undefined ? '' : `${nameOf(one)}: `;
        breaches.push({ rule, message: `${of}${message}` });
      }
      yield;
    }
  }
  return breaches;
}

/** The message of a rule that does not hold; undefined where it does. */
function brokenBy(
  { program, text, message }: CompiledRule,
  values: Readonly<Record<string, Value | undefined>>,
  { spec, context }: { readonly spec: ChangePolicySpec; readonly context: ReviewContext },
): string | undefined {
  const run = (one: CelProgram): Value => one.run(values, LIMITS.ruleCost, context.purse);
  try {
    if (run(program) === true) return undefined;
  } catch (error) {
    if (!(error instanceof CelError) && !(error instanceof CelCostError)) throw error;
    return spec.failurePolicy === 'Ignore' ? undefined : `the expression failed: ${error.message}`;
  }
  return message === undefined ? text : textOr(() => run(message), text);
}

/** By the state before or after: an object cannot leave a policy by the write that it is for. */
function isSelected(selector: ChangePolicySpec['selector'], { entry, before }: Change): boolean {
  return selects(selector, entry) || (before !== undefined && selects(selector, before));
}

function* selectedBy(selector: ChangePolicySpec['selector'], changes: readonly Change[]): Steps<readonly Change[]> {
  const selected: Change[] = [];
  yield* eachOf(changes, (change) => {
    if (isSelected(selector, change)) selected.push(change);
  });
  return selected;
}

function includes(people: PeopleSpec | undefined, { user, caller }: Author): boolean {
  if (people === undefined) return false;
  const { users = [], groups = [] } = people;
  return users.includes(user) || groups.some((group) => caller?.groups.includes(group) === true);
}

/** Throws the refusal of a policy, or adds its remarks. */
function note(
  { name, spec }: Policy,
  breaches: readonly Breach[],
  author: Author,
  remarks: { readonly warnings: string[]; readonly annotations: Record<string, string> },
): void {
  const byRule = [...Map.groupBy(breaches, ({ rule }) => rule)];
  const texts = byRule.map(([rule, some]) => `rule "${rule.name}": ${listText(some.map(({ message }) => message))}`);
  const text = `ChangePolicy "${name}", ${texts.join('; ')}`;
  const isOpen = includes(spec.breakGlass, author);
  if (spec.action === 'Deny' && !isOpen) throw denialOf(text, byRule, spec);
  if (spec.action !== 'Audit') remarks.warnings.push(isOpen ? `${text} (let through: break glass)` : text);
  const at = isOpen && spec.action === 'Deny' ? ANNOTATIONS.brokenGlass : ANNOTATIONS.broken;
  const rules = byRule.map(([rule]) => `${name}/${rule.name}`).join(', ');
  const known = remarks.annotations[at];
  remarks.annotations[at] = known === undefined ? rules : `${known}, ${rules}`;
}

function denialOf(
  text: string,
  byRule: readonly (readonly [CompiledRule, unknown])[],
  spec: ChangePolicySpec,
): Refusal {
  const allowed = byRule.map(([{ allowedBy }]) => peopleText(allowedBy)).filter((one) => one !== '');
  const isAllowable = allowed.length === byRule.length;
  const who = isAllowable ? ` Allowed by ${[...new Set(allowed)].join(' and ')}.` : '';
  const glass = spec.breakGlass === undefined ? '' : ` In an emergency by ${peopleText(spec.breakGlass)}.`;
  const message = `${text.endsWith('.') ? text : `${text}.`}${who}${glass}`;
  return admissionRefusal('denied-change', message, {
    problems: [{ path: [], reason: 'FieldValueInvalid', detail: message }],
    ...(isAllowable ? { remedy: 'Save it as a draft for them to publish: backline draft save NAME -f FILE.' } : {}),
  });
}

/** `the group legal or the user ann` */
function peopleText(people: PeopleSpec | undefined): string {
  const { groups = [], users = [] } = people ?? {};
  return [...groups.map((group) => `the group ${group}`), ...users.map((user) => `the user ${user}`)].join(' or ');
}

function listText(messages: readonly string[]): string {
  const more = messages.length - LIMITS.messages;
  const shown = messages.slice(0, LIMITS.messages).join('; ');
  return more > 0 ? `${shown}; and ${more} more` : shown;
}

function nameOf({ entry: { kind, namespace, name } }: Change): string {
  return `${kind.kind} ${namespace === '' ? '' : `${namespace}/`}${name}`;
}
