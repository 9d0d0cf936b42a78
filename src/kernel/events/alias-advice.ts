import type { Advisor } from '#kernel/store/rules/advised-store.ts';
import { eventTypeSpec } from './kinds/event-type-spec.ts';
import { EventType } from './kinds/event-type.ts';

/** An alias names a second id of a person in its properties, where the erasure of the first does not look. */
export const aliasAdvisor: Advisor = {
  kind: EventType,
  advise: (object) => {
    const { segment, schema } = eventTypeSpec(object);
    const previous = schema.properties['previousId'];
    if (segment?.call !== 'alias' || previous === undefined || previous.sensitive === true) return [];
    return [
      'previousId is another id of the same person, and stays readable when that person is erased: make it sensitive.',
    ];
  },
};
