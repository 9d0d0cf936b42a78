import { Type } from 'typebox';
import { defineKind } from '#kernel/kinds/define-kind.ts';
import type { World } from '#kernel/kinds/kind.ts';
import { referredFrom } from '#kernel/kinds/live-name.ts';

export interface NodeSpec {
  readonly needs: readonly string[];
  readonly value: number;
  readonly neighbourMax: number;
}

/** Needs other nodes, and is valid only beside values up to its own limit. */
export const Node = nodeKind('Node', 'nodes');

/** The same on an eventual target: it needs Nodes. */
export const Workload = nodeKind('Workload', 'workloads', { target: 'clusters' });

/** The same with namespaced names: it needs Tenants, by default of its own namespace. */
export const Tenant = nodeKind('Tenant', 'tenants', { names: 'namespace' });

/** The live name of a needed object of these kinds. */
export function neededBy(
  { kind, namespace }: { readonly kind: string; readonly namespace: string },
  need: string,
): string {
  return kind === 'test.backline.dev/Tenant' ? referredFrom(namespace, need) : need;
}

function nodeKind(
  kind: string,
  plural: string,
  { target, names }: { readonly target?: string; readonly names?: 'namespace' } = {},
) {
  const id = `test.backline.dev/${kind}`;
  const needed = names === undefined ? 'test.backline.dev/Node' : id;
  return defineKind({
    group: 'test.backline.dev',
    version: 'v1',
    kind,
    plural,
    scope: names === undefined ? 'Cluster' : 'Namespaced',
    description: 'A node.',
    released: true,
    ...(target === undefined ? {} : { target }),
    ...(names === undefined ? {} : { names }),
    spec: Type.Object({ needs: Type.Array(Type.String()), value: Type.Integer(), neighbourMax: Type.Integer() }),
    refs: ({ needs }, namespace) =>
      needs.map((need, index) => {
        return { path: ['spec', 'needs', index], kind: needed, name: neededBy({ kind: id, namespace }, need) };
      }),
    check: ({ needs, neighbourMax }, world, name) => {
      const { namespace = '' } = world.get(id, name) ?? {};
      return needs
        .filter((need) => valueOf(world, needed, neededBy({ kind: id, namespace }, need)) > neighbourMax)
        .map((need) => ({
          path: ['spec', 'neighbourMax'],
          reason: 'FieldValueInvalid' as const,
          detail: `${need} is above ${neighbourMax}`,
        }));
    },
  });
}

function valueOf(world: World, kind: string, name: string): number {
  const node = world.get(kind, name);
  return node === undefined ? Number.NaN : (node.spec as NodeSpec).value;
}
