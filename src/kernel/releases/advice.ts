import { Type } from 'typebox';
import type { Clock } from '#kernel/base/clock.ts';
import { fieldPath } from '#kernel/base/failures.ts';
import type { Advisor } from '#kernel/store/rules/advised-store.ts';
import { Namespace } from '#kernel/kinds/builtin/core.ts';
import { specReader } from '#kernel/kinds/schema/read-typed.ts';
import type { Kind } from '#kernel/kinds/kind.ts';
import { durationMs } from '#kernel/kinds/schema/duration.ts';
import { liveNameOf } from '#kernel/kinds/live-name.ts';
import type { KindRegistry } from '#kernel/kinds/registry.ts';
import type { Entry, Store } from '#kernel/store/contract.ts';
import { findEntry } from '#kernel/store/find-entry.ts';
import { Freeze } from './kinds/freeze.ts';
import { SAFE } from '#kernel/statistics/patience.ts';
import { actingOf, rateProblems } from './kinds/guardrail-spec.ts';
import type { PolicySpec, Selector } from './kinds/policy-spec.ts';
import { RELEASE_POLICY, policySpec } from './kinds/release-policy.ts';
import type { Targets } from './kinds/targets.ts';
import type { UnitsOnRecord } from './units-on-record.ts';
import { spanAfter } from './kinds/freeze-window.ts';
import { METRIC, policyRefs } from './rules/policy-refs.ts';
import { selectionOf, type Selection } from './rules/selection.ts';

/** Two scrape intervals of a Prometheus that scrapes often. */
const SCRAPED_MS = 30_000;

/** Stored objects, with entries of the same write. */
interface SelectionParts {
  readonly store: Pick<Store<never>, 'get' | 'find' | 'list'>;
  readonly kinds: KindRegistry;
  readonly written?: readonly Entry[];
}

interface AdviceParts extends SelectionParts {
  readonly targets: Targets;
  readonly unitsOnRecord: UnitsOnRecord;
}

/** Warnings for the author of a policy or a freeze: names that do not exist, selectors that select nothing. */
export function releaseAdvisors(parts: {
  readonly store: Store<never>;
  readonly kinds: KindRegistry;
  readonly targets: Targets;
  readonly unitsOnRecord: UnitsOnRecord;
  readonly clock: Clock;
}): readonly Advisor[] {
  const { store, kinds, targets, unitsOnRecord, clock } = parts;
  return [
    {
      kind: kinds.byId(RELEASE_POLICY),
      advise: (object, written) => policyAdvice(policySpec(object), { store, kinds, targets, written, unitsOnRecord }),
    },
    {
      kind: Freeze,
      advise: (object, written) => {
        const spec = Freeze.spec(object);
        const selected = spec.selector === undefined ? [] : selectorAdvice(spec.selector, { store, kinds, written });
        return isOver(object, clock) ? ['The freeze is over: it holds nothing.', ...selected] : selected;
      },
    },
  ];
}

/** Warnings about a policy as things are now. */
export function policyAdvice(spec: PolicySpec, declared: AdviceParts): readonly string[] {
  const missing = policyRefs(spec, declared.targets).filter(
    ({ kind, name }) => !isDeclared(declared, declared.kinds.byId(kind), name),
  );
  return [
    ...selectorAdvice(spec.selector, declared),
    ...deciderAdvice(spec.selector, declared.kinds),
    ...undecidedAdvice(spec),
    ...missing.map(({ path, kind, name, isShadow }) => {
      const until = isShadow ? 'nothing is measured' : 'releases wait';
      return `${fieldPath(path)}: there is no ${declared.kinds.byId(kind).kind} "${name}"; ${until} until there is.`;
    }),
    ...limitAdvice(spec, declared),
    ...scrapeAdvice(spec),
    ...unitsAdvice(spec, declared.targets, declared.unitsOnRecord),
  ];
}

/** Thresholds that the rate of a Metric can never cross, or always crosses. The Metric may change, so this is only a warning. */
function limitAdvice({ guardrails }: PolicySpec, declared: AdviceParts): readonly string[] {
  return guardrails.flatMap(({ metric, threshold }, index) => {
    if (metric === undefined || threshold === undefined || metricType(declared, metric) !== 'proportion') return [];
    return rateProblems(threshold).map(
      ({ field, detail }) =>
        `${fieldPath(['spec', 'guardrails', index, 'threshold', field])}: Metric "${metric}" is a proportion. ${detail}`,
    );
  });
}

/** The field of a Metric that matters here; its kind belongs to a module above. */
const readTyped = specReader(Type.Object({ type: Type.Optional(Type.String()) }));

function metricType({ store, kinds, written = [] }: AdviceParts, name: string): string | undefined {
  const kind = kinds.byId(METRIC);
  const entry = written.find((one) => isNamed(one, kind, name)) ?? findEntry(store, kind, name);
  return entry === undefined ? undefined : readTyped(entry.object()).type;
}

/** Stages that wait for a comparison and have too few units for it to pass, as far as units are known. */
export function unitsAdvice(
  { stages, guardrails }: Pick<PolicySpec, 'stages' | 'guardrails'>,
  targets: Targets,
  unitsOnRecord: UnitsOnRecord,
): readonly string[] {
  return stages.flatMap((stage, index) => {
    const waiting = actingOf(guardrails).filter(({ noWorse, promotesFrom = stages[0]?.name }) => {
      return noWorse !== undefined && stages.findIndex((one) => one.name === promotesFrom) <= index;
    });
    return targets.flatMap(({ name: target, split, unitsIn }) => {
      const where = stage[target];
      if (waiting.length === 0 || where === undefined || split === undefined || unitsIn === undefined) return [];
      const { unit, share } = split(where);
      const known = unitsOnRecord(unit);
      if (known === undefined) return [];
      const all = unitsIn(where, known);
      const some = Math.floor(all * share);
      if (some >= SAFE.units) return [];
      const names = waiting.map((one) => one.name).join(', ');
      return [
        `spec.stages[${index}].${target}: stage ${stage.name} has at most ${some} of about ${roughly(all)} ${unit}s on record; a guardrail noWorse (${names}) needs ${SAFE.units} to pass.`,
      ];
    });
  });
}

/** "2,000": two digits; the estimate is no better. */
function roughly(units: number): string {
  return Number(units.toPrecision(2)).toLocaleString('en-US');
}

/** With one scrape in its window, a Prometheus gives no measurement. */
function scrapeAdvice({ guardrails, judging }: PolicySpec): readonly string[] {
  const names = guardrails.flatMap(({ name, prometheus }) => (prometheus?.bad === undefined ? [] : [name]));
  if (names.length === 0 || durationMs(judging.every) >= SCRAPED_MS) return [];
  return [
    `spec.judging.every: ${judging.every} is short for ${names.join(', ')}: $window needs two scrapes of the Prometheus, or nothing is measured.`,
  ];
}

/** Kinds that decide objects of a selected kind, and can change without this policy. */
function deciderAdvice({ kinds: named = [] }: Selector, kinds: KindRegistry): readonly string[] {
  const isNamed = ({ id, kind }: Kind): boolean => named.includes(id) || named.includes(kind);
  return kinds.all.filter(isNamed).flatMap(({ kind, decidedBy = [] }) => {
    const others = decidedBy.map((id) => kinds.byId(id)).filter((decider) => !isNamed(decider));
    if (others.length === 0) return [];
    const names = new Intl.ListFormat('en').format(others.map((decider) => decider.kind));
    return [
      `spec.selector.kinds: a ${kind} is also decided by ${names}, which this policy does not select; add them, or give them a policy of their own.`,
    ];
  });
}

/** Settings for guardrails that cannot decide, where the policy has none. */
function undecidedAdvice({ stages, guardrails, onUndecided }: PolicySpec): readonly string[] {
  if (actingOf(guardrails).length > 0) return [];
  const nothing = 'does nothing without guardrails: a deadline applies only to their evidence.';
  return [
    ...stages.flatMap(({ deadline }, index) =>
      deadline === undefined ? [] : [`spec.stages[${index}].deadline ${nothing}`],
    ),
    // The default value is no setting of the author.
    ...(onUndecided === 'halt' ? [] : [`spec.onUndecided ${nothing}`]),
  ];
}

function selectorAdvice(selector: Selector, declared: SelectionParts): readonly string[] {
  const gone = (selector.namespaces ?? []).filter((name) => !isDeclared(declared, Namespace, name));
  if (gone.length > 0) return gone.map((name) => `spec.selector.namespaces: there is no namespace "${name}".`);
  const { objects, isPart } = selectionIn(selector, declared);
  if (objects > 0 || isPart) return [];
  return ['spec.selector: selects no declared object.'];
}

/** The declared objects that a selector selects. */
export function selectionIn(selector: Selector, { store, kinds, written = [] }: SelectionParts): Selection {
  return selectionOf(selector, kinds.all, function* list(kind: Kind) {
    const now = new Map(written.filter((entry) => entry.kind === kind).map((entry) => [liveNameOf(entry), entry]));
    yield* now.values();
    for (const entry of store.list(kind)) if (!now.has(liveNameOf(entry))) yield entry;
  });
}

function isDeclared({ store, written = [] }: SelectionParts, kind: Kind, name: string): boolean {
  return findEntry(store, kind, name) !== undefined || written.some((entry) => isNamed(entry, kind, name));
}

function isNamed(entry: Entry, kind: Kind, name: string): boolean {
  return entry.kind === kind && liveNameOf(entry) === name;
}

function isOver(object: Parameters<typeof Freeze.spec>[0], clock: Clock): boolean {
  try {
    return spanAfter(Freeze.spec(object), clock().epochMilliseconds) === undefined;
  } catch {
    return false;
  }
}
