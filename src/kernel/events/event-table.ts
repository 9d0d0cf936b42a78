import { didYouMean, nearSpellings } from '#kernel/base/spelling.ts';
import { inOneStep } from '#kernel/base/turns.ts';
import type { Kind, LiveObject, World } from '#kernel/kinds/kind.ts';
import type { ChangedObject, DecisionModule } from '#kernel/snapshots/module.ts';
import { withOwnObjects } from '#kernel/kinds/own-objects.ts';
import { ownTypes, type OwnEventType } from './built-in-types.ts';
import { REMEMBERED_DAYS_MIN } from './event-days.ts';
import { fieldCheck, freeFault } from './kinds/field-check.ts';
import { Dataset } from './kinds/dataset.ts';
import { durationMs } from '#kernel/kinds/schema/duration.ts';
import { eventTypeSpec, segmentKey, type EventTypeSpec } from './kinds/event-type-spec.ts';
import { EventType } from './kinds/event-type.ts';
import { EVENT_TYPE } from './kinds/identity.ts';
import { Metric } from './kinds/metric.ts';

/** Faults of one event that are reported at once. */
const FAULTS_MAX = 5;

/** Rules of an event type: how its events are validated and stored. */
export interface EventRules {
  readonly type: string;
  /** Whether only this program writes such events. */
  readonly isOwn: boolean;
  /** Content hash of the spec that these come from. */
  readonly revision: string;
  readonly subject: EventTypeSpec['subject'];
  /** Faults of the properties as `POINTER: fault`, relative to the properties; empty when they are valid. */
  readonly faults: (properties: Readonly<Record<string, unknown>>) => readonly string[];
  /** Fields that are declared. */
  readonly fields: ReadonlySet<string>;
  /** Fields that are sealed. */
  readonly sensitive: readonly string[];
  readonly identity: { readonly fields: readonly string[]; readonly withinMs: number } | undefined;
  readonly latenessMs: number;
  /** Days for which a retry of an event is recognised as a duplicate. */
  readonly rememberedDays: number;
}

/** The event types that are live, ready to judge events by. */
export interface EventTable {
  readonly types: ReadonlyMap<string, EventRules>;
  /** Names of types by the calls of Segment's libraries that they take, see `segmentKey`. */
  readonly bySegment: ReadonlyMap<string, string>;
}

export const EVENTS = 'events';
export const eventKinds: readonly Kind[] = [EventType, Metric, Dataset];

/** The snapshot module of events, with the types of `own` modules. It has no decision routes. */
export function eventsModule(own: readonly OwnEventType[] = []): DecisionModule<EventTable> {
  return {
    name: EVENTS,
    kinds: eventKinds,
    compile: (world) => inOneStep(() => compileEvents(world, own)),
    update: (table, world, changed) => inOneStep(() => updateEvents(table, world, changed, own)),
    routes: [],
  };
}

/** Compiles the table of a world in one step, because types are few. */
export function compileEvents(declared: World, own: readonly OwnEventType[] = []): EventTable {
  const all = ownTypes(own);
  const world = withOwnObjects(declared, all);
  const types = new Map([...world.list(EVENT_TYPE)].map((live) => [live.name, rulesOf(live, isOneOf(all, live))]));
  return { types, bySegment: segmentNames(world) };
}

/** Updates a table by what changed; gives the same as `compileEvents(world)`. */
export function updateEvents(
  table: EventTable,
  declared: World,
  changed: readonly ChangedObject[],
  own: readonly OwnEventType[] = [],
): EventTable {
  const all = ownTypes(own);
  const world = withOwnObjects(declared, all);
  const names = changed.filter(({ kind }) => kind === EVENT_TYPE).map(({ name }) => name);
  if (names.length === 0) return table;
  const types = new Map(table.types);
  for (const name of names) {
    const live = world.get(EVENT_TYPE, name);
    if (live === undefined) types.delete(name);
    else types.set(name, rulesOf(live, isOneOf(all, live)));
  }
  return { types, bySegment: segmentNames(world) };
}

function isOneOf(own: readonly LiveObject[], { name }: LiveObject): boolean {
  return own.some((type) => type.name === name);
}

function segmentNames(world: World): ReadonlyMap<string, string> {
  const names = new Map<string, string>();
  for (const live of world.list(EVENT_TYPE)) {
    const key = segmentKey(eventTypeSpec(live));
    if (key === undefined) continue;
    // Two types with the same calls are refused at the write. Should both be live, the result must not depend on order.
    const other = names.get(key);
    names.set(key, other !== undefined && other < live.name ? other : live.name);
  }
  return names;
}

function rulesOf(live: LiveObject, isOwn: boolean): EventRules {
  const spec = eventTypeSpec(live);
  const { identity, within, schema } = spec;
  return {
    type: live.name,
    isOwn,
    revision: live.revision,
    subject: spec.subject,
    faults: faultsOf(schema),
    fields: new Set(Object.keys(schema.properties)),
    sensitive: Object.keys(schema.properties).filter((field) => schema.properties[field]?.sensitive === true),
    identity:
      identity === undefined || within === undefined
        ? undefined
        : // Sorted, so that the order in which they are declared has no effect.
          { fields: [...identity].sort(), withinMs: durationMs(within) },
    latenessMs: durationMs(spec.lateness),
    rememberedDays: rememberedDays(durationMs(spec.lateness) + (within === undefined ? 0 : durationMs(within))),
  };
}

/** Days between the first and the last accepted copy of one event, both included. */
function rememberedDays(longestMs: number): number {
  return Math.max(REMEMBERED_DAYS_MIN, Math.ceil(longestMs / 86_400_000) + 1);
}

function faultsOf({ properties, required, additional }: EventTypeSpec['schema']): EventRules['faults'] {
  const isRequired = new Set(required);
  const checks = new Map(Object.entries(properties).map(([name, field]) => [name, fieldCheck(field)]));
  return (given) => {
    const faults: string[] = [];
    for (const name of required) {
      if (!Object.hasOwn(given, name)) faults.push(`/${name}: is required`);
    }
    for (const name of Object.keys(given)) {
      const check = checks.get(name);
      if (check !== undefined) {
        // Many serializers write null for what is absent.
        const fault = given[name] === null && !isRequired.has(name) ? undefined : check(given[name]);
        if (fault !== undefined) faults.push(`/${name}: ${fault}`);
      } else if (!additional) {
        const hint = didYouMean(nearSpellings(name, checks.keys()));
        faults.push(`/${pointerSegment(name)}: is not a declared field${hint}`);
      } else {
        const fault = freeFault(given[name]);
        if (fault !== undefined) faults.push(`/${pointerSegment(name)}: ${fault}`);
      }
      if (faults.length >= FAULTS_MAX) break;
    }
    return faults;
  };
}

/** A name that a sender chose, as a segment of a JSON pointer, cut to what a message can hold. */
function pointerSegment(name: string): string {
  return name.slice(0, 100).toWellFormed().replaceAll('~', '~0').replaceAll('/', '~1');
}
