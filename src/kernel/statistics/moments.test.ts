import assert from 'node:assert/strict';
import { test } from 'node:test';
import { addMoment, isOneMoment, NO_MOMENTS, type Moments } from './moments.ts';

const RATE = 0.1;

/** Windows of the candidate, as units and bad. */
function after(...windows: readonly (readonly [number, number])[]): Moments {
  return windows.reduce<Moments>(
    (moments, [units, bad]) => addMoment(moments, { candidate: { units, bad }, stable: { units: 100, bad: 10 } }, RATE),
    NO_MOMENTS,
  );
}

test('excess over the expected adds up, and a shortfall takes nothing back', () => {
  assert.deepEqual(after([100, 30], [100, 0], [100, 25]), {
    excess: 35,
    units: 300,
    most: { excess: 20, units: 100, isOver: false },
  });
  assert.deepEqual(after([50, 4]), { excess: 0, units: 50, most: { excess: 0, units: 0, isOver: false } });
});

test('a window is over once the next has less than half of its excess', () => {
  const most = (bad: number) => after([100, 30], [100, bad]).most;
  assert.deepEqual(most(19.9), { excess: 20, units: 100, isOver: true });
  assert.deepEqual(most(20), { excess: 20, units: 100, isOver: false });
  assert.deepEqual(most(30), { excess: 20, units: 100, isOver: false }, 'the first of two alike');
  assert.deepEqual(most(31), { excess: 21, units: 100, isOver: false });
});

test('one moment is a window that is over, with half of the excess and not as much of the traffic', () => {
  assert.equal(isOneMoment(NO_MOMENTS), false);
  assert.equal(isOneMoment(after([100, 30])), false, 'it may go on');
  assert.equal(isOneMoment(after([100, 30], [100, 10])), true);
  assert.equal(isOneMoment(after([100, 30], [10, 1])), false, 'nearly all of the traffic');
  assert.equal(isOneMoment(after([100, 19], [100, 19], [100, 30], [100, 12])), true, 'half of 40');
  assert.equal(isOneMoment(after([100, 20], [100, 20], [100, 30], [100, 12])), false, 'less than half');
});
