import { defineRefusals, type CodesOf } from '#kernel/base/refusals.ts';

export const outboundRefusal = defineRefusals('outbound', {
  'bad-host': {
    reason: 'BadRequest',
    meaning: 'A value of --allow-outbound is no host, address or range.',
    remedy: 'Write a name, an address, or a range: prometheus.example, 10.0.0.7, 10.0.0.0/8.',
  },
});

declare module '#kernel/base/failures.ts' {
  interface RefusalCodes extends CodesOf<typeof outboundRefusal> {}
}
