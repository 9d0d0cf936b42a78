import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as fc from 'fast-check';
import { RECEIPT_SECONDS_MAX, Watermark } from './watermark.ts';

const start = Temporal.Instant.from('2026-05-10T12:00:00Z');

test('without open transactions all is complete until the current moment', () => {
  const seen = { at: start, xmin: 7n, xmax: 7n };
  assert.equal(new Watermark().advance(seen)?.toString(), '2026-05-10T11:59:50Z');
});

test('an open transaction holds the watermark at the last moment before it began', () => {
  const watermark = new Watermark();
  const at = (seconds: number) => start.add({ seconds });
  assert.equal(watermark.advance({ at: at(0), xmin: 5n, xmax: 7n }), undefined);
  assert.equal(watermark.advance({ at: at(15), xmin: 7n, xmax: 9n })?.toString(), '2026-05-10T11:59:50Z');
  assert.equal(watermark.advance({ at: at(30), xmin: 7n, xmax: 20n })?.toString(), '2026-05-10T11:59:50Z');
  assert.equal(watermark.advance({ at: at(45), xmin: 20n, xmax: 20n })?.toString(), '2026-05-10T12:00:35Z');
});

test('no event that is not yet below xmin was received before the watermark', () => {
  // Transactions get their numbers in order, up to the allowed time after the receipt, and end at any time.
  const transaction = fc.record({
    numberedAt: fc.nat(200),
    waited: fc.integer({ min: 0, max: RECEIPT_SECONDS_MAX }),
    lasts: fc.oneof(fc.nat(3), fc.nat(300)),
  });
  fc.assert(
    fc.property(
      fc.array(transaction, { maxLength: 30 }),
      fc.uniqueArray(fc.nat(400), { maxLength: 20 }),
      (given, looks) => {
        const numbered = given
          .toSorted((a, b) => a.numberedAt - b.numberedAt)
          .map((one, number) => ({ ...one, number }));
        const watermark = new Watermark();
        for (const look of looks.sort((a, b) => a - b)) {
          const begun = numbered.filter(({ numberedAt }) => numberedAt < look);
          const xmax = begun.length;
          const xmin = begun.find(({ numberedAt, lasts }) => numberedAt + lasts >= look)?.number ?? xmax;
          const complete = watermark.advance({
            at: start.add({ seconds: look }),
            xmin: BigInt(xmin),
            xmax: BigInt(xmax),
          });
          if (complete === undefined) continue;
          for (const { number, numberedAt, waited } of numbered) {
            if (number < xmin) continue;
            const received = start.add({ seconds: numberedAt - waited });
            assert.ok(Temporal.Instant.compare(received, complete) >= 0);
          }
        }
      },
    ),
  );
});
