import { compileEvents, type EventTable } from '../event-table.ts';
import { worldOf } from './world.ts';

/** Required fields of every declared type that no test checks. */
const common = { owner: 'playback', purpose: 'To know what is heard.', retention: 'P30D' };

/** Event types for tests: one for each way to treat subjects, ids and sensitive fields. */
export const eventTypes = {
  play: {
    ...common,
    subject: 'required',
    schema: {
      properties: {
        track: { type: 'string', maxLength: 64 },
        playedMs: { type: 'integer', minimum: 0 },
        device: { type: 'string', enum: ['phone', 'desktop'] },
        ipAddress: { type: 'string', sensitive: true },
        tags: { type: 'array', items: { type: 'string' }, maxItems: 3 },
        startedAt: { type: 'timestamp' },
        extra: { type: 'object' },
      },
      required: ['track'],
    },
    segment: { event: 'Song Played' },
  },
  exposure: {
    ...common,
    subject: 'required',
    schema: {
      properties: { experiment: { type: 'string' }, variant: { type: 'string' }, at: { type: 'timestamp' } },
      required: ['experiment', 'variant'],
    },
    identity: ['subject', 'experiment', 'variant'],
    within: 'PT1H',
  },
  'app-opened': { ...common, subject: 'none', schema: { properties: {}, additional: true } },
  identify: { ...common, schema: { properties: { country: { type: 'string' } } } },
} as const;

/** The table of these types. */
export function tableOf(types: Readonly<Record<string, object>> = eventTypes): EventTable {
  return compileEvents(worldOf({ eventTypes: types }));
}
