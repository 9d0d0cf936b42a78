import { setImmediate as whenIdle } from 'node:timers';

/** How long one piece of work holds the event loop. Its steps are short beside it. */
const SLICE_MS = 5;

/** Work that may pause between its steps. */
export type Steps<Result> = Generator<undefined, Result>;

/** Those that wait for a turn of the event loop, in their order. */
const waiting: (() => void)[] = [];
let isTaken = false;

/**
 * Does work step by step and lets everything else run in between. However much of it goes on at once, one piece of work
 * runs in each turn of the event loop. What is done in one step waits for nobody.
 */
export async function inTurns<Result>(work: Steps<Result>): Promise<Result> {
  let step = work.next();
  while (step.done !== true) {
    await turn();
    const endMs = performance.now() + SLICE_MS;
    do step = work.next();
    while (step.done !== true && performance.now() < endMs);
  }
  return step.value;
}

/** One step for each item. */
export function* eachOf<One>(items: Iterable<One>, act: (item: One) => void): Steps<void> {
  for (const item of items) {
    act(item);
    yield;
  }
}

/** Work that is short, as one step. */
export function* inOneStep<Result>(work: () => Result): Steps<Result> {
  yield;
  return work();
}

/** Does work that is known to be short, or that holds up nobody, in one go. */
export function atOnce<Result>(work: Steps<Result>): Result {
  for (;;) {
    const step = work.next();
    if (step.done === true) return step.value;
  }
}

function turn(): Promise<void> | undefined {
  if (isTaken) return new Promise((resume) => waiting.push(resume));
  isTaken = true;
  whenIdle(passOn);
  return undefined;
}

function passOn(): void {
  const next = waiting.shift();
  isTaken = next !== undefined;
  if (next === undefined) return;
  whenIdle(passOn);
  next();
}
