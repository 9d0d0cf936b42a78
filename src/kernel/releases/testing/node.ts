import { Type } from 'typebox';
import { defineKind } from '#kernel/kinds/define-kind.ts';
import type { World } from '#kernel/kinds/kind.ts';

export interface NodeSpec {
  readonly needs: readonly string[];
  readonly value: number;
  readonly neighbourMax: number;
}

/** Needs others to be there, and stands only beside values that are not above a limit of its own. */
export const Node = nodeKind('Node', 'nodes');

/** The same, carried by a target that follows Heads by and by: it needs Nodes. */
export const Workload = nodeKind('Workload', 'workloads', 'clusters');

function nodeKind(kind: string, plural: string, target?: string) {
  return defineKind({
    group: 'test.backline.dev',
    version: 'v1',
    kind,
    plural,
    scope: 'Cluster',
    description: 'A node.',
    released: true,
    ...(target === undefined ? {} : { target }),
    spec: Type.Object({ needs: Type.Array(Type.String()), value: Type.Integer(), neighbourMax: Type.Integer() }),
    refs: ({ needs }) =>
      needs.map((name, index) => ({ path: ['spec', 'needs', index], kind: 'test.backline.dev/Node', name })),
    check: ({ needs, neighbourMax }, world) =>
      needs
        .filter((name) => valueOf(world, name) > neighbourMax)
        .map((name) => ({
          path: ['spec', 'neighbourMax'],
          reason: 'FieldValueInvalid' as const,
          detail: `${name} is above ${neighbourMax}`,
        })),
  });
}

function valueOf(world: World, name: string): number {
  const node = world.get('test.backline.dev/Node', name);
  return node === undefined ? Number.NaN : (node.spec as NodeSpec).value;
}
