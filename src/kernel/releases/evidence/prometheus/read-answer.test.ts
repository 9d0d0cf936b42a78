import assert from 'node:assert/strict';
import { test } from 'node:test';
import { readAnswer } from './read-answer.ts';

test('a value is what Prometheus writes as a number; anything else is none', () => {
  const valueOf = (text: string): number | undefined => {
    const data = { resultType: 'vector', result: [{ metric: {}, value: [1, text] }] };
    const answer = readAnswer(
      { status: 200, headers: {}, text: JSON.stringify({ status: 'success', data }), isCut: false },
      'instant',
      undefined,
    );
    assert.equal(answer.at, 'series');
    return answer.series[0]?.samples[0]?.value;
  };
  for (const [text, value] of [
    ['0', 0],
    ['-1.5', -1.5],
    ['1e-07', 1e-7],
    ['5.', 5],
    ['+Inf', Infinity],
    ['-Inf', -Infinity],
  ] as const) {
    assert.equal(valueOf(text), value, text);
  }
  for (const none of ['NaN', '', ' ', '0x10', '0b1', '1_000', '1 2', 'Infinity', 'ten']) {
    assert.ok(Number.isNaN(valueOf(none)), none);
  }
});
