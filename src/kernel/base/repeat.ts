/** Runs a job again and again, one run at a time; the returned function waits for the last one. */
export function repeat(
  everyMs: number,
  run: () => Promise<unknown>,
  whenFailed: (error: unknown) => void,
): () => Promise<void> {
  let running: Promise<void> | undefined;
  const timer = setInterval(() => {
    running ??= run()
      .then(() => {})
      .catch(whenFailed)
      .finally(() => {
        running = undefined;
      });
  }, everyMs);
  timer.unref();
  return async () => {
    clearInterval(timer);
    await running;
  };
}
