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
/** Kinds that checks, policies and sources depend on, and access rules, which decide whose approval counts. */
const OF_WAITING: ReadonlySet<Kind> = new Set<Kind>([
  Head,
  PrometheusSource,
  Role,
  ClusterRole,
  RoleBinding,
  ClusterRoleBinding,
  ServiceAccount,
]);

/** The open releases to process after a change of a kind. */
export type Concern = 'all' | 'waiting' | 'none';

export function concernOf(kinds: Iterable<Kind>): Concern {
  let concerned: Concern = 'none';
  for (const kind of kinds) {
    if (OF_ALL.has(kind)) return 'all';
    if (OF_WAITING.has(kind) || kind.id === RELEASE_POLICY) concerned = 'waiting';
  }
  return concerned;
}

/** A queued release is woken when the ones ahead of it end. */
export function isConcerned(state: ReleaseState, concerned: Concern): boolean {
  if (concerned === 'waiting') return state.at === 'waiting' && state.for !== 'turn';
  return concerned === 'all';
}
