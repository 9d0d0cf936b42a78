import { pause, systemTime } from '#kernel/base/time.ts';
import { writerNow, type SharedParts } from './shared-parts.ts';
import { endWriterSession } from './writer-row.ts';
import { countAnew, isSignOfLife, isTooSilent, isUnattended, NO_SILENCE, silenceAfter } from './writer-silence.ts';

/**
 * Looks after the writer as long as this process is a standby. A writer that holds the lock but is stopped, or cut off
 * from the database, loses its session, and with it the lock. Whether it is there shows in its row alone: what it answers
 * to others says nothing of whether it can write.
 */
export async function watchWriter<Operation>(parts: SharedParts<Operation>): Promise<void> {
  const { database, role, limits, log, stop } = parts;
  let silence = NO_SILENCE;
  while (!stop.aborted) {
    await pause(systemTime, limits.beatMs, stop);
    if (stop.aborted) return;
    if (role.sequencer !== undefined) {
      silence = NO_SILENCE;
      role.noticeUnattended(undefined);
      continue;
    }
    try {
      const writer = await writerNow(parts);
      role.noticeEpoch(writer.epoch);
      const before = silence;
      silence = silenceAfter(before, writer);
      if (isSignOfLife(before, silence)) role.noticeAttended(true);
      const seconds = Math.floor((silence.looksInAll * limits.beatMs) / 1000);
      role.noticeUnattended(
        isUnattended(silence, writer, limits)
          ? `no process that writes has shown itself for ${seconds} s, and none could take its place`
          : undefined,
      );
      if (!isTooSilent(silence, writer, limits)) continue;
      silence = countAnew(silence);
      role.noticeAttended(false);
      log?.warn(
        { url: writer.address?.url, epoch: writer.epoch },
        'writer lock: heartbeat timeout of the writer; taking over',
      );
      await endWriterSession(database, writer);
    } catch (error) {
      // Who cannot see the writer knows nothing about it.
      silence = NO_SILENCE;
      role.noticeUnattended(undefined);
      log?.debug({ err: error }, 'writer lock: cannot check the writer');
    }
  }
}
