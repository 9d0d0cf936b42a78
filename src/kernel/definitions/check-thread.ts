import { parentPort, workerData } from 'node:worker_threads';
import { versionsOwnProblems } from './kinds/check-definition.ts';

/** A thread that checks the versions of one definition, which it gets as a text; it answers with their problems. */
const problems = versionsOwnProblems(JSON.parse(String(workerData)));
// oxlint-disable-next-line unicorn/require-post-message-target-origin -- of windows, and this is a thread
parentPort?.postMessage(problems);
