import type { AudienceTable } from '#kernel/audiences/compile-audience.ts';
import { AdSet } from '../kinds/ad-set.ts';
import { partsOf } from './ad-set-parts.ts';
import { compileAdSet, compileParts, moneyOfParts } from './compile-ad-set.ts';
import type { AdSetMoney, AdsTable, CompiledAdSet } from './table.ts';

/** The ad set at a position of the index, compiled when it is first looked at: from the objects of then, so an answer is of one world. */
export function adSetAt(table: AdsTable, at: number): CompiledAdSet {
  const { compiled } = table;
  const known = compiled.get(at);
  if (known !== undefined) return known;
  const adSet = compileAt(table, at);
  compiled.set(at, adSet);
  return adSet;
}

/** The same for work that looks at all of them: it keeps none, so that those of breaks stay. */
export function compileAt({ rows, audiences }: AdsTable, at: number): CompiledAdSet {
  return compileParts(rows.partsAt(at), liveIn(audiences));
}

/** An ad set by its live name, halted or not. */
export function adSetNamed({ world, audiences }: AdsTable, name: string): CompiledAdSet | undefined {
  const object = world.get(AdSet.id, name);
  return object && compileAdSet(object, world, liveIn(audiences));
}

/** The limits of spend of an ad set, by its live name. */
export function moneyOfAdSet({ world }: Pick<AdsTable, 'world'>, name: string): AdSetMoney | undefined {
  const object = world.get(AdSet.id, name);
  return object && moneyOfParts(partsOf(object, world));
}

function liveIn({ matcher }: AudienceTable): (audience: string) => boolean {
  return (audience) => matcher(audience) !== undefined;
}
