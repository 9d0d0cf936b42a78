import { Type } from 'typebox';
import { defineKind } from '#kernel/kinds/define-kind.ts';
import { Node } from './node.ts';

interface SeatSpec {
  readonly room: string;
  readonly number: number;
}

/** A seat in a room, which is a Node: no two have the same number. Seats share a dependency and exclude each other. */
export const Seat = defineKind({
  group: 'test.backline.dev',
  version: 'v1',
  kind: 'Seat',
  plural: 'seats',
  scope: 'Cluster',
  description: 'A seat in a room.',
  released: true,
  spec: Type.Object({ room: Type.String(), number: Type.Integer() }),
  refs: ({ room }) => [{ path: ['spec', 'room'], kind: Node.id, name: room }],
  check: ({ room, number }, world, name) =>
    Array.from(world.list('test.backline.dev/Seat'))
      .filter((other) => other.name !== name && isSeat(other.spec as SeatSpec, { room, number }))
      .map((other) => ({
        path: ['spec', 'number'],
        reason: 'FieldValueInvalid' as const,
        detail: `number ${number} is taken by ${other.name}`,
      })),
});

function isSeat(a: SeatSpec, b: SeatSpec): boolean {
  return a.room === b.room && a.number === b.number;
}
