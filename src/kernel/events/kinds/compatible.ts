import type { Path, Problem } from '#kernel/base/failures.ts';
import type { EventField, ItemField } from './event-field.ts';
import type { EventTypeSpec } from './event-type-spec.ts';

/**
 * Finds incompatible changes of an event type: those that would refuse events which senders send today, or change columns
 * that readers read. Allowed are new optional fields, wider bounds and enums, and fewer required fields.
 */
export function evolutionProblems(before: EventTypeSpec, after: EventTypeSpec, name: string): readonly Problem[] {
  const anew = `make it a new EventType, e.g. ${nextName(name)}`;
  const problems: Problem[] = [];
  const refuse = (path: Path, detail: string) => problems.push({ path, reason: 'FieldValueForbidden', detail });
  const fields = ['spec', 'schema', 'properties'];
  const added = Object.keys(after.schema.properties).filter((field) => !Object.hasOwn(before.schema.properties, field));
  for (const [field, was] of Object.entries(before.schema.properties)) {
    const is = Object.hasOwn(after.schema.properties, field) ? after.schema.properties[field] : undefined;
    const path = [...fields, field];
    if (is === undefined) {
      const renamed = added.length === 0 ? '' : ` A rename is a new EventType, e.g. ${nextName(name)}.`;
      refuse(
        path,
        `The field "${field}" cannot be removed: events that have it would be refused.${renamed || ` To be rid of it, ${anew}.`}`,
      );
      continue;
    }
    for (const { at, how } of findNarrowing(was, is)) {
      refuse([...path, ...at], `The field "${field}" ${how}: ${anew}.`);
    }
  }
  const wasRequired = new Set(before.schema.required);
  for (const [index, field] of after.schema.required.entries()) {
    if (wasRequired.has(field)) continue;
    refuse(['spec', 'schema', 'required', index], `The field "${field}" cannot become required: ${anew}.`);
  }
  if (before.schema.additional && !after.schema.additional) {
    refuse(['spec', 'schema', 'additional'], `Fields that are not declared were accepted until now: ${anew}.`);
  }
  if (before.subject !== after.subject && after.subject !== 'optional') {
    refuse(['spec', 'subject'], `The subject was ${before.subject} and cannot become ${after.subject}: ${anew}.`);
  }
  if (identityOf(before) !== identityOf(after)) {
    refuse(['spec', 'identity'], `Which events are one event cannot change: ${anew}.`);
  }
  return problems;
}

/** `play` → `play-v2`, `play-v2` → `play-v3`. */
function nextName(name: string): string {
  const [, stem = name, version = '1'] = /^(.*)-v(\d{1,6})$/.exec(name) ?? [];
  return `${stem}-v${Number(version) + 1}`;
}

function identityOf({ identity, within }: EventTypeSpec): string {
  return JSON.stringify([[...(identity ?? [])].sort(), within]);
}

interface Narrowing {
  readonly at: Path;
  readonly how: string;
}

function findNarrowing(was: EventField, is: EventField): readonly Narrowing[] {
  if (was.type !== is.type) return [{ at: ['type'], how: `was of the type ${was.type} and cannot become ${is.type}` }];
  const found: Narrowing[] = [];
  if ((was.sensitive ?? false) !== (is.sensitive ?? false)) {
    found.push({ at: ['sensitive'], how: 'cannot change whether it is sealed' });
  }
  if ((is.maxItems ?? Infinity) < (was.maxItems ?? Infinity)) {
    found.push({ at: ['maxItems'], how: `cannot take fewer items than before (${was.maxItems ?? 'no limit'})` });
  }
  if (was.scale !== is.scale) {
    found.push({ at: ['scale'], how: `has ${was.scale} digits after the point and cannot have ${is.scale}` });
  }
  if (was.items !== undefined && is.items !== undefined) {
    if (was.items.type !== is.items.type) {
      found.push({
        at: ['items', 'type'],
        how: `had items of the type ${was.items.type} and cannot have ${is.items.type}`,
      });
    } else if (was.items.scale !== is.items.scale) {
      found.push({ at: ['items', 'scale'], how: 'cannot change how many digits its items have after the point' });
    } else found.push(...findNarrowedBounds(was.items, is.items).map(({ at, how }) => ({ at: ['items', ...at], how })));
  }
  return [...found, ...findNarrowedBounds(was, is)];
}

type Bounds = Pick<ItemField, 'enum' | 'minimum' | 'maximum' | 'maxLength'>;

function findNarrowedBounds(was: Bounds, is: Bounds): readonly Narrowing[] {
  const found: Narrowing[] = [];
  if (is.enum !== undefined) {
    const kept = new Set(is.enum);
    const lost = (was.enum ?? []).filter((value) => !kept.has(value));
    if (was.enum === undefined) found.push({ at: ['enum'], how: 'took any value and cannot be limited to some' });
    else if (lost.length > 0) {
      found.push({
        at: ['enum'],
        how: `cannot lose the values ${lost.map((value) => JSON.stringify(value)).join(', ')}`,
      });
    }
  }
  if ((is.minimum ?? -Infinity) > (was.minimum ?? -Infinity)) {
    found.push({ at: ['minimum'], how: `cannot have a higher minimum than before (${was.minimum ?? 'none'})` });
  }
  if ((is.maximum ?? Infinity) < (was.maximum ?? Infinity)) {
    found.push({ at: ['maximum'], how: `cannot have a lower maximum than before (${was.maximum ?? 'none'})` });
  }
  if ((is.maxLength ?? Infinity) < (was.maxLength ?? Infinity)) {
    found.push({ at: ['maxLength'], how: `cannot be shorter than before (${was.maxLength ?? 'no limit'})` });
  }
  return found;
}
