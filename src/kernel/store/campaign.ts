import { Refusal, type RefusalCode } from '#kernel/base/failures.ts';
import { Outage } from '#kernel/base/outage.ts';
import { pause, systemTime } from '#kernel/base/time.ts';
import { isReadOnlySession } from '#kernel/postgres/database.ts';
import type { Decide, Unblock } from './contract.ts';
import type { StoredChange } from './entry.ts';
import type { WriterAddress } from './forwarding.ts';
import { Sequencer } from './sequencer.ts';
import { describeRestore, type SharedParts } from './shared-parts.ts';
import { WriterSession } from './writer-session.ts';

/** How often a standby tries to become the writer. */
const CAMPAIGN_POLL_MS = 150;

const READ_ONLY = 'the database is read-only, as a standby in recovery is; writes begin when it takes them';

/** Refusals after which a process that wrote is a standby: others write, or can. */
const CAN_GO_ON: ReadonlySet<RefusalCode> = new Set<RefusalCode>([
  'resources/taken-over',
  'resources/gave-way',
  'resources/outcome-unknown',
]);

interface CampaignParts<Operation> extends SharedParts<Operation> {
  readonly decide: Decide<Operation>;
  /** How the others reach this process. */
  readonly address: () => WriterAddress;
  readonly publish: (changes: readonly StoredChange[]) => void;
  readonly unblock: Unblock | undefined;
}

/**
 * Waits for the right to write, writes as long as this process has it, and waits again.
 *
 * @param triedOnce called when this process writes, or is ready as a standby: another one writes, or the database takes no
 *   writes
 */
export async function campaign<Operation>(parts: CampaignParts<Operation>, triedOnce: () => void): Promise<void> {
  const { database, memory, texts, tail, role, log, stop, tellLost } = parts;
  const outage = new Outage(log, 'writer lock: cannot acquire');
  while (!stop.aborted) {
    let session: WriterSession | undefined;
    try {
      const opened = await WriterSession.open(database, {
        address: JSON.stringify(parts.address()),
        texts,
        pollMs: CAMPAIGN_POLL_MS,
        waitSeconds: Infinity,
        stop: () => {
          triedOnce();
          return stop.aborted;
        },
      });
      session = opened.session;
      if (opened.version < memory.version) {
        await session.close();
        return tellLost(describeRestore(opened.version, memory.version));
      }
      await tail.reach(opened.version);
      if (stop.aborted) return await session.close();
      await tail.pause();
      outage.noteRecovery();
      role.noticeEpoch(session.epoch);
      const sequencer = beginWriting(parts, session);
      triedOnce();
      const why = await Promise.race([sequencer.lost, sequencer.finished.then(() => undefined)]);
      const { behindMs: silentMs } = sequencer;
      role.end();
      if (why === undefined) return;
      if (!CAN_GO_ON.has(why.code)) return tellLost(why.message);
      tail.resume(silentMs);
    } catch (error) {
      await session?.close();
      if (stop.aborted) return;
      const isReadOnly = isReadOnlySession(error);
      role.noticeReadOnly(isReadOnly ? READ_ONLY : undefined);
      // Reads are right all the same.
      if (isReadOnly) triedOnce();
      const isOthers = error instanceof Refusal && error.code === 'resources/other-writer';
      await pause(systemTime, isOthers ? CAMPAIGN_POLL_MS : outage.noteFailure(error), stop);
    }
  }
}

function beginWriting<Operation>(parts: CampaignParts<Operation>, session: WriterSession): Sequencer<Operation> {
  const { memory, decide, clock, limits, log, tail, role, publish, unblock } = parts;
  const sequencer = new Sequencer({ memory, session, decide, clock, limits, log, givesWay: true, unblock });
  sequencer.subscribe((changes) => {
    tail.wakeWaiting();
    publish(changes as readonly StoredChange[]);
  });
  log?.info({ epoch: session.epoch }, 'writer lock: acquired');
  role.begin(sequencer);
  return sequencer;
}
