/** Loaded into a server with --import: tells its parent at each message what it uses; after `collect` without garbage. */
declare const gc: () => void;

process.on('message', (asked) => {
  if (asked === 'collect') for (let round = 0; round < 2; round += 1) gc();
  const { user, system } = process.cpuUsage();
  process.send?.({ ...process.memoryUsage(), cpuSeconds: (user + system) / 1e6 });
});
// The channel alone keeps no process.
process.channel?.unref();
