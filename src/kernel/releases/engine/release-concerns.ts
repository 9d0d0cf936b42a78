import { ClusterRole, ClusterRoleBinding, Role, RoleBinding } from '#kernel/access/kinds/rbac.ts';
import { ServiceAccount } from '#kernel/access/kinds/service-account.ts';
import { Head } from '#kernel/kinds/builtin/head.ts';
import type { Kind } from '#kernel/kinds/kind.ts';
import { Pin } from '../kinds/pin.ts';
import { PrometheusSource } from '../kinds/prometheus-source.ts';
import { RELEASE_POLICY } from '../kinds/release-policy.ts';
import type { ReleaseState } from '../kinds/release-status.ts';
import { Stop } from '../kinds/stop.ts';

const OF_ALL: ReadonlySet<Kind> = new Set<Kind>([Stop, Pin]);
/** What the world, policies and sources are; and rules, as whose approval counts may be another question then. */
const OF_WAITING: ReadonlySet<Kind> = new Set<Kind>([
  Head,
  PrometheusSource,
  Role,
  ClusterRole,
  RoleBinding,
  ClusterRoleBinding,
  ServiceAccount,
]);

/** The open releases that are looked at when something of a kind changed. */
export type Concerned = 'all' | 'waiting' | 'none';

export function concernedBy(kinds: Iterable<Kind>): Concerned {
  let concerned: Concerned = 'none';
  for (const kind of kinds) {
    if (OF_ALL.has(kind)) return 'all';
    if (OF_WAITING.has(kind) || kind.id === RELEASE_POLICY) concerned = 'waiting';
  }
  return concerned;
}

/** Those that a release waits for tell it when its turn has come. */
export function isConcerned(state: ReleaseState, concerned: Concerned): boolean {
  if (concerned === 'waiting') return state.at === 'waiting' && state.for !== 'turn';
  return concerned === 'all';
}
