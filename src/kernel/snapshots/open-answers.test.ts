import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { OpenAnswers } from './open-answers.ts';

test('answers of the last five minutes, this one included, are counted and nothing older', () => {
  fc.assert(
    fc.property(fc.array(fc.nat({ max: 400_000 }), { maxLength: 60 }), (gaps) => {
      const counter = new OpenAnswers();
      const at: number[] = [];
      let nowMs = 1_700_000_000_000;
      for (const gap of gaps) {
        nowMs += gap;
        counter.count(nowMs);
        at.push(nowMs);
        const since = (Math.floor(nowMs / 60_000) - 4) * 60_000;
        assert.equal(counter.recent(nowMs).answers, at.filter((ms) => ms >= since).length);
      }
      assert.equal(counter.recent(nowMs + 300_000).answers, 0);
    }),
  );
});
