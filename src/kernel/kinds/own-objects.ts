import type { LiveObject, World } from './kind.ts';

/** The live world, in which objects of the program itself replace others of the same name. */
export function withOwnObjects(world: World, own: readonly LiveObject[]): World {
  if (own.length === 0) return world;
  const ownOf = (kind: string): readonly LiveObject[] => own.filter((object) => object.kind === kind);
  const ownNamed = (kind: string, name: string): LiveObject | undefined =>
    own.find((object) => object.kind === kind && object.name === name);
  return {
    get: (kind, name) => ownNamed(kind, name) ?? world.get(kind, name),
    list: (kind) => {
      const mine = ownOf(kind);
      if (mine.length === 0) return world.list(kind);
      return [...[...world.list(kind)].filter(({ name }) => ownNamed(kind, name) === undefined), ...mine];
    },
    find: world.find,
  };
}
