/** A Release of the API: the parts that are shown. */
export interface ReleaseObject {
  readonly metadata: { readonly name: string; readonly creationTimestamp?: string; readonly resourceVersion?: string };
  readonly spec: ReleaseSpec;
  /** Absent only in the moment of its creation. */
  readonly status?: ReleaseStatus;
}

export interface ReleaseSpec {
  readonly number: number;
  readonly authors: readonly string[];
  readonly unattended?: boolean;
  readonly changeSet: string;
  readonly group?: string;
  readonly policy?: NamedPolicy;
  readonly otherPolicies?: readonly NamedPolicy[];
  readonly objects: readonly ReleaseItem[];
  /** The change in sentences, as in a plan. */
  readonly sentences?: readonly string[];
  readonly planHash: string;
  readonly rollbackOf?: string;
  readonly open: boolean;
}

interface NamedPolicy {
  readonly name: string;
  readonly spec: Policy;
}

interface Policy {
  readonly approvals?: {
    readonly required: number;
    readonly users?: readonly string[];
    readonly groups?: readonly string[];
  };
  readonly stages: readonly Stage[];
  /** How long it is judged after it is live for everyone. */
  readonly bake?: string;
  readonly guardrails: readonly { readonly name: string; readonly promotesFrom?: string; readonly shadow?: boolean }[];
  readonly pinFor?: string;
}

export interface Stage {
  readonly name: string;
  readonly soak: string;
  readonly deadline?: string;
  readonly promote: 'auto' | 'manual';
  /** In a bake: all units and places of each target. */
  readonly isForAll?: boolean;
  /** The part of each target. */
  readonly [target: string]: unknown;
}

/** Name of the stage of a bake. */
export const BAKE = 'bake';

/** The stages of a release: those of its policy and its bake, in which it is live for everyone. */
export function stagesIn({ policy }: Pick<ReleaseSpec, 'policy'>): readonly Stage[] {
  const { stages = [], bake } = policy?.spec ?? {};
  if (bake === undefined || stages.length === 0) return stages;
  return [...stages, { name: BAKE, soak: bake, promote: 'auto', isForAll: true }];
}

/** One object: its state before and after. Absent: it does not exist. */
export interface ReleaseItem {
  readonly kind: string;
  readonly name: string;
  readonly from?: Side;
  readonly to?: Side;
}

export interface Side {
  readonly revision: string;
  readonly generation: number;
  readonly namespace: string;
  readonly labels: Readonly<Record<string, string>>;
}

export interface ReleaseStatus {
  readonly phase: string;
  readonly message: string;
  readonly stage?: string;
  readonly share?: number;
  readonly targets?: readonly TargetStatus[];
  readonly held?: string;
  /** Of a promoted release: the release that rolled it back. */
  readonly rolledBackBy?: string;
  readonly approvals?: Approvals;
  readonly guardrails?: readonly Guardrail[];
  readonly nextAt?: string;
  /** Remainders of a rollback. */
  readonly remains?: readonly { readonly undo: string; readonly says: string }[];
  readonly standing: EngineState;
  readonly history: readonly HistoryEntry[];
}

/** State of one target of a release. */
export interface TargetStatus {
  readonly name: string;
  readonly stage?: string;
  readonly state: string;
  readonly places: readonly PlaceStatus[];
  readonly placesMore?: number;
}

export interface PlaceStatus {
  readonly name: string;
  readonly state: string;
  readonly wanted: string;
  readonly observed?: string;
  readonly healthySince?: string;
  readonly message?: string;
  readonly observedAt?: string;
}

interface Approvals {
  readonly needed: readonly { readonly policy: string; readonly required: number; readonly given: number }[];
  readonly given: readonly { readonly user: string; readonly counts: boolean; readonly because?: string }[];
}

/** The part of the engine's state that shows its progress. */
interface EngineState {
  readonly state: {
    readonly at: string;
    readonly stage?: number;
    readonly seenMs?: number;
    readonly heldMs?: number;
    readonly heldSinceMs?: number;
    readonly by?: string;
    readonly because?: string;
  };
  readonly approvals: readonly {
    readonly user: string;
    readonly atMs: number;
    readonly planHash: string;
    readonly reason?: string;
  }[];
  readonly paused?: { readonly by: string; readonly because: string };
  readonly failing?: { readonly because: string };
}

interface HistoryEntry {
  readonly at: string;
  readonly phase: string;
  readonly by?: string;
  readonly message: string;
}

export interface Guardrail {
  readonly name: string;
  readonly shadow?: boolean;
  readonly outcome: string;
  readonly because: string;
  readonly figures: Figures;
  readonly unitsNeeded?: { readonly toPass: number | null; readonly toFail: number | null };
}

export interface Evidence {
  readonly value: number;
  readonly needed: number;
}

interface Counts {
  readonly units: number;
  readonly bad: number;
}

interface Burn {
  readonly long: number;
  readonly short: number;
}

type Figures =
  | {
      readonly of: 'riskRatio';
      readonly candidate: Counts;
      readonly stable: Counts;
      readonly ratio: number | null;
      readonly bounds: { readonly from: number; readonly to: number | null };
      readonly harm: Evidence;
      readonly safety: Evidence;
      /** Absent in releases of an older judge. */
      readonly dispersion?: { readonly harm: number };
    }
  | {
      readonly of: 'burnRate';
      readonly rule: { readonly factor: number; readonly longMs: number; readonly shortMs: number };
      readonly candidate: Burn;
      readonly stable: Burn;
      readonly harm: Evidence;
    }
  | {
      readonly of: 'threshold';
      readonly value: number | null;
      readonly units: number;
      readonly beyond: Evidence;
      readonly within: Evidence;
      readonly dispersion?: number;
    }
  | { readonly of: 'nothing' };

/** Evidence of harm and of safety, and the divisor of the log evidence of harm, as far as the test has them. */
export interface Weights {
  readonly harm?: Evidence;
  readonly safety?: Evidence;
  readonly dispersion?: number | undefined;
}

export function weightsIn(figures: Figures): Weights {
  switch (figures.of) {
    case 'riskRatio':
      return { harm: figures.harm, safety: figures.safety, dispersion: figures.dispersion?.harm };
    case 'burnRate':
      return { harm: figures.harm };
    case 'threshold':
      return { harm: figures.beyond, safety: figures.within, dispersion: figures.dispersion };
    case 'nothing':
      return {};
    default:
      return figures satisfies never;
  }
}

/** True when nothing more will happen to it. */
export function isFinished({ status }: ReleaseObject): boolean {
  return status !== undefined && ENDS.has(status.phase);
}

const ENDS: ReadonlySet<string> = new Set(['Promoted', 'RolledBack', 'Aborted', 'Superseded']);

/** Counted approvals of the required ones. */
export function approvalsText({ status }: ReleaseObject): string | undefined {
  const { needed = [] } = status?.approvals ?? {};
  if (needed.length === 0) return undefined;
  return needed
    .map(({ policy, required, given }) => `${given} of ${required}${needed.length === 1 ? '' : ` by policy ${policy}`}`)
    .join(', ');
}

/** Authors of the change; they may not approve it. */
export function authorsText({ authors }: ReleaseSpec): string {
  return authors.join(', ');
}

/** The policies of a release; the first gives the stages. */
export function policiesText({ policy, otherPolicies = [] }: ReleaseSpec): string | undefined {
  return policy === undefined ? undefined : [policy, ...otherPolicies].map(({ name }) => name).join(', ');
}

/** `Plan/premium, Price/premium-de and 3 more`. */
export function changesText(objects: readonly ReleaseItem[], shownMax = 2): string {
  const shown = objects.slice(0, shownMax).map(({ kind, name }) => `${kindName(kind)}/${name}`);
  const more = objects.length - shown.length;
  return `${shown.join(', ')}${more > 0 ? ` and ${more} more` : ''}`;
}

/** `products.backline.dev/Plan` → `Plan`. */
export function kindName(kind: string): string {
  return kind.slice(kind.lastIndexOf('/') + 1);
}
