import type { Log } from '#kernel/base/log.ts';
import type { Kind } from '#kernel/kinds/kind.ts';
import { fromKinds, type KindRegistry } from '#kernel/kinds/registry.ts';
import type { Operation } from '#kernel/store/rules/operation.ts';
import type { Change, Entry, Store } from '#kernel/store/contract.ts';
import { ClusterRole, ClusterRoleBinding, Role, RoleBinding, bindingOf, rulesOf } from '../kinds/rbac.ts';
import { defaultObjects, missingDefaults } from './default-objects.ts';
import { outdatedRoles } from './collect-rules.ts';
import type { DeclaredPath } from './path-access.ts';
import { ChangingRules, resourceKey, type RoleRules, type RuleTable } from '../rules/rule-table.ts';

const RULE_KINDS: ReadonlySet<Kind> = new Set([Role, ClusterRole, RoleBinding, ClusterRoleBinding]);
const AUTHOR = { user: 'system:access', requestId: 'access' };

/** The rules in force: the declared ones, each compiled when it changes. */
export interface LiveRules {
  readonly table: () => RuleTable;
  readonly follow: (store: Store<Operation>, kinds: KindRegistry) => void;
  /** Writes the default roles that are missing, and the rules of the collecting ones. */
  readonly complete: (store: Store<Operation>, kinds: KindRegistry, paths: readonly DeclaredPath[]) => Promise<void>;
  readonly stop: () => Promise<void>;
}

export function liveRules(log: Log): LiveRules {
  const table = new ChangingRules();
  const unsubscribe: (() => void)[] = [];
  let collecting: Promise<unknown> = Promise.resolve();
  return {
    table: () => table,
    follow: (store, kinds) => {
      const everywhereOnly = fromKinds(
        kinds,
        (all): ReadonlySet<string> =>
          new Set(
            all
              .filter(({ actsEverywhere }) => actsEverywhere === true)
              .map(({ group, plural }) => resourceKey({ group, resource: plural })),
          ),
      );
      const followKinds = (): void => {
        table.everywhereOnly = everywhereOnly();
      };
      followKinds();
      unsubscribe.push(kinds.subscribe(followKinds));
      for (const kind of RULE_KINDS) for (const entry of store.list(kind)) put(table, entry);
      const follow = (changes: readonly Change[]): void => {
        const ofRules = changes.filter(({ entry }) => RULE_KINDS.has(entry.kind));
        for (const { type, entry } of ofRules) (type === 'DELETED' ? remove : put)(table, entry);
        if (!ofRules.some(({ entry }) => entry.kind === ClusterRole)) return;
        // In sequence, so that each one sees the writes of the one before.
        collecting = collecting
          .then(() => collect(store))
          .catch((error: unknown) => log.error({ err: error }, 'access: cannot write aggregated ClusterRoles'));
      };
      unsubscribe.push(store.subscribe(follow));
    },
    complete: async (store, kinds, paths) => {
      // As in Kubernetes, kinds that come later are in no default role: their owner declares roles for them.
      const missing = missingDefaults(defaultObjects(kinds.all, paths), store);
      if (missing.length > 0) await store.write(missing, AUTHOR);
      await collect(store);
    },
    stop: async () => {
      for (const end of unsubscribe) end();
      await collecting;
    },
  };
}

/** Takes a role or binding in as it is now. */
function put(table: ChangingRules, entry: Entry): void {
  const object = entry.object();
  if (isRole(entry)) table.putRole({ ...roleNamed(entry), rules: rulesOf(object) });
  else table.putBinding(bindingOf(object));
}

function remove(table: ChangingRules, entry: Entry): void {
  if (isRole(entry)) table.removeRole(roleNamed(entry));
  else table.removeBinding(entry);
}

function isRole({ kind }: Entry): boolean {
  return kind === Role || kind === ClusterRole;
}

function roleNamed({ kind, namespace, name }: Entry): Omit<RoleRules, 'rules'> {
  return { kind: kind === Role ? 'Role' : 'ClusterRole', namespace, name };
}

/** Writes the rules of the roles that collect them from others. */
async function collect(store: Store<Operation>): Promise<void> {
  const outdated = outdatedRoles([...store.list(ClusterRole)].map((entry) => entry.object()));
  if (outdated.length === 0) return;
  const operations = outdated.map(({ role, rules }): Operation => ({
    verb: 'patch',
    part: 'main',
    kind: ClusterRole.id,
    namespace: '',
    name: role.metadata.name,
    patchType: 'merge',
    patch: { rules },
    fieldValidation: 'Ignore',
  }));
  await store.write(operations, AUTHOR);
}
