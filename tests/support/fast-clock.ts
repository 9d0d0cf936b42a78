/**
 * Preloaded into a child process, it makes minutes pass in seconds: `node --import`. All processes with the same
 * environment agree about the time.
 */
const factor = Number(process.env['BACKLINE_TEST_CLOCK_FACTOR'] ?? 1);
const originMs = Number(process.env['BACKLINE_TEST_CLOCK_ORIGIN_MS'] ?? Date.now());
const realNow = Date.now;

Date.now = () => Math.round(originMs + (realNow() - originMs) * factor);
