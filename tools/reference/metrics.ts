import { code, table } from './markdown.ts';

interface MetricNote {
  readonly type: 'counter' | 'gauge' | 'histogram';
  /** As the program says it at `/metrics`. */
  readonly help: string;
  readonly labels?: readonly string[];
  /** When it calls for somebody, and what is the cause or the next look. */
  readonly worry: string;
}

/** Every metric of the program's own. A test compares them with what a server serves. */
export const METRICS: Readonly<Record<string, MetricNote>> = {
  backline_ads_breaks_total: {
    type: 'counter',
    help: 'Answered breaks by outcome: served, or why they have no ads.',
    labels: ['outcome'],
    worry:
      '`entitlementUnknown` or `policyMissing` rises: a plan, feature or AdPolicy is not live, and nobody gets ads.',
  },
  backline_ads_events_total: {
    type: 'counter',
    help: 'Events that players reported, by event (empty: unknown) and outcome; a held event counts again when it ends.',
    labels: ['event', 'outcome'],
    worry:
      'The share of an outcome other than `counted` rises: a player repeats or reorders events, or somebody forges them.',
  },
  backline_ads_impressions_after_upgrade_total: {
    type: 'counter',
    help: 'Impressions of listeners who have the ad-free feature: refused, and not charged.',
    worry:
      'Any increase: an app plays ads that it fetched before the listener upgraded; the log names placement and ad set.',
  },
  backline_ads_late_charges_total: {
    type: 'counter',
    help: 'Paid events whose reservation had ended: charged where the budget had room, else free.',
    labels: ['outcome'],
    worry:
      '`free` rises: players report more than 15 minutes after the answer. Ask for breaks later, and report at once.',
  },
  backline_ads_slots_total: {
    type: 'counter',
    help: 'Slots of breaks for listeners who may hear ads: filled, and left empty.',
    labels: ['outcome'],
    worry: 'The share of `empty` rises: budgets are spent, or ad sets are paused; see `/v1/ads/explain`.',
  },
  backline_certificate_end_timestamp_seconds: {
    type: 'gauge',
    help: 'When the server certificate ends, as Unix time.',
    worry:
      'Less than 14 days ahead: it is not renewed. Make `pki` in the data folder writable; the log says `certificate: cannot renew`.',
  },
  backline_controller_queue_depth: {
    type: 'gauge',
    help: 'Keys that wait to be worked on.',
    labels: ['controller'],
    worry:
      'Grows for minutes: the controller cannot keep up, or retries against something that is away. The log names the keys.',
  },
  backline_controller_retries_total: {
    type: 'counter',
    help: 'Keys that were put back to be looked at again.',
    labels: ['controller'],
    worry: 'A steady rate of one controller: its log names the error.',
  },
  backline_controller_work_seconds: {
    type: 'histogram',
    help: 'Time that one key took, by how it ended.',
    labels: ['controller', 'outcome'],
    worry:
      '`outcome="failed"` at a steady rate: the log says `controller: reconcile failed`. p99 above 10 s: what it calls is slow.',
  },
  backline_controllers_leading: {
    type: 'gauge',
    help: '1 while the controllers run in this process.',
    worry:
      'The sum over all processes is not 1 for a minute: no leader, or the Lease cannot be renewed. Search the log for `leader lease`.',
  },
  backline_datasets_stale: {
    type: 'gauge',
    help: 'Datasets that miss their freshness goal. NaN where another process rolls.',
    worry: 'Above 0: roll-ups are late; see `backline_rollup_failing`.',
  },
  backline_events_clock_skew_seconds: {
    type: 'histogram',
    help: 'How far the clocks of senders were behind ours when they sent a batch (negative: ahead); only batches with sentAt.',
    worry: 'The median moves: the clock of this server may be wrong. Compare `date -u`; run NTP.',
  },
  backline_events_commit_seconds: {
    type: 'histogram',
    help: 'Duration of the commit of a group of batches.',
    worry: 'p99 above 1 s: PostgreSQL is slow. Look at its disk and at `pg_stat_activity`.',
  },
  backline_events_total: {
    type: 'counter',
    help: 'Events by type (empty: unknown) and outcome.',
    labels: ['type', 'outcome'],
    worry: 'The share of `quarantined` of a type rises: an application sends events that its type does not accept.',
  },
  backline_events_turned_away_total: {
    type: 'counter',
    help: 'Requests with events that were answered 429.',
    worry: 'Any steady rate: senders are throttled and may drop events. More `ingest` processes, or a faster database.',
  },
  backline_events_waiting: {
    type: 'gauge',
    help: 'Events that are not answered yet.',
    worry: 'Grows: see `backline_events_waiting_bytes`, which has the limit.',
  },
  backline_events_waiting_bytes: {
    type: 'gauge',
    help: 'Bytes of requests that are not answered yet.',
    worry: 'Stays near its limit: PostgreSQL commits more slowly than events come. A faster database, or fewer events.',
  },
  backline_http_open_streams: {
    type: 'gauge',
    help: 'Answers that go on until somebody ends them.',
    worry: 'Near 10,000: connections are closed soon. Look for one caller that opens many.',
  },
  backline_http_request_seconds: {
    type: 'histogram',
    help: 'Time from the end of the request headers to the end of the answer.',
    labels: ['route', 'status'],
    worry:
      'Status `5xx` at all: the log of the request. p99 of a decision route above 50 ms: CPU of the node, or its database.',
  },
  backline_objects: {
    type: 'gauge',
    help: 'Objects that are declared.',
    labels: ['group', 'resource'],
    worry: 'Grows without anybody declaring: a script or controller creates objects. Memory grows by 1.5 KB for each.',
  },
  backline_outbound_requests_total: {
    type: 'counter',
    help: 'Requests to other servers that declared objects caused, by kind of object: answered, unanswered or refused.',
    labels: ['kind', 'outcome'],
    worry:
      '`unanswered` rises: a webhook or Prometheus is away. `refused`: an object names a private host (--allow-outbound).',
  },
  backline_outbound_requests_under_way: {
    type: 'gauge',
    help: 'Requests to other servers that are not answered yet.',
    worry: 'Stays at 512: every turn is taken, and others wait. A receiver or Prometheus is slow.',
  },
  backline_quota_commit_seconds: {
    type: 'histogram',
    help: 'Time to decide and commit one group of requests.',
    worry: 'p99 above 100 ms: the quota database is slow, or one subject is hot. Look at its disk and locks.',
  },
  backline_quota_committed_total: {
    type: 'counter',
    help: 'Committed requests; divided by the number of commits, the mean group size.',
    worry: 'Stands still while `backline_quota_waiting` is above 0: the quota database is away.',
  },
  backline_quota_operations_total: {
    type: 'counter',
    help: 'Quota operations by outcome; `repeated` for one that was answered from the ledger.',
    labels: ['operation', 'outcome'],
    worry: 'The share of `denied` jumps: a cap is wrong, or was released with a mistake.',
  },
  backline_quota_waiting: {
    type: 'gauge',
    help: 'Quota requests without an answer yet.',
    worry: 'Grows: the quota database commits more slowly than requests come.',
  },
  backline_release_cells_dropped_total: {
    type: 'gauge',
    help: 'Answers that no cell of units counted, as too many stages of releases are under way.',
    worry: 'Above 0: guardrails of releases see less evidence; run fewer releases at once.',
  },
  backline_release_counts_dropped_total: {
    type: 'gauge',
    help: 'Rows of counts that were given up because the database was away for too long.',
    worry: 'Above 0: releases are judged without these answers. Mend the database of this node.',
  },
  backline_release_exposures_dropped_total: {
    type: 'counter',
    help: 'Exposures that were given up, as the database was away for too long or more came than are written.',
    worry:
      'Above 0: releases are judged without these exposures. Mend the database of this node; if it is sound, there are more than 5,000 exposures a second here: add nodes.',
  },
  backline_release_exposures_waiting: {
    type: 'gauge',
    help: 'Exposures that are not written yet.',
    worry: 'Grows: the database of this node is away; from 50,000 on the oldest are dropped.',
  },
  backline_release_worlds_broken_total: {
    type: 'counter',
    help: 'What releases show to their cohorts and what could not be compiled: answered as for everybody.',
    worry: 'Above 0: a release does not compile; the log names it. Abort it.',
  },
  backline_rollup_adopted_files_total: {
    type: 'counter',
    help: 'Unlisted files that were adopted, because their rows were nowhere else.',
    worry: 'Above 0 without a restore of the database: find out who writes into the folder of datasets.',
  },
  backline_rollup_failed_merges_total: {
    type: 'counter',
    help: 'Merges that failed; their files stay as they are.',
    worry: 'Grows every hour: the log says `datasets: cannot merge files` and why. Queries get slower.',
  },
  backline_rollup_failing: {
    type: 'gauge',
    help: 'Whether the last roll-up failed: 1 or 0.',
    worry: '1 for more than ten minutes: the log names the error; often a full disk.',
  },
  backline_rollup_failures_total: {
    type: 'counter',
    help: 'Roll-ups that failed.',
    worry: 'Grows: see `backline_rollup_failing`.',
  },
  backline_rollup_files_total: {
    type: 'counter',
    help: 'Files written from the log.',
    worry: 'Stands still while events come: see `backline_rollup_lag_seconds`.',
  },
  backline_rollup_lag_seconds: {
    type: 'gauge',
    help: 'Age of completeUntil: all older events are in files. NaN where another process rolls.',
    worry: 'Above the freshness that datasets promise: the log says `roll-up: failed`, or no `ingest` process runs.',
  },
  backline_rollup_merged_files_total: {
    type: 'counter',
    help: 'Files removed by merges.',
    worry: 'Never alone: see `backline_rollup_failed_merges_total`.',
  },
  backline_rollup_overdue_rows_total: {
    type: 'counter',
    help: 'Events that arrived after their time was declared complete.',
    worry:
      'Above 0: queries that ran before did not see these events. Run them again; look for transactions that stay open.',
  },
  backline_rollup_rows_total: {
    type: 'counter',
    help: 'Events written into files.',
    worry: 'Stands still while `backline_events_total` grows: see `backline_rollup_lag_seconds`.',
  },
  backline_rollup_seconds_total: {
    type: 'counter',
    help: 'Duration of roll-ups.',
    worry: 'Its rate is near 1: roll-ups take all of the time, and fall behind soon.',
  },
  backline_rollup_set_aside_rows_total: {
    type: 'counter',
    help: 'Events set aside because no file can hold them.',
    worry:
      'Above 0: they are in quarantine (`kubectl get quarantinedevents`). Mend the EventType, then an `EventReplay`.',
  },
  backline_snapshot_age_seconds: {
    type: 'gauge',
    help: 'How long ago the snapshot was last known to be current.',
    worry:
      'Above 10 s: this node has lost the control plane and answers from its last snapshot. Network, certificate, token; do not restart it.',
  },
  backline_snapshot_left_out_objects: {
    type: 'gauge',
    help: 'Live objects that are answered as they were before, as their newest change does not compile: see the log.',
    worry: 'Above 0: a live change has no effect on this node; the log names the object.',
  },
  backline_snapshot_version: {
    type: 'gauge',
    help: 'The version that decisions are answered from.',
    worry: 'Falls behind `backline_store_version` for more than a few seconds: see `backline_snapshot_age_seconds`.',
  },
  backline_store_version: {
    type: 'gauge',
    help: 'The version of the last published write.',
    worry:
      'Differs between API processes for more than a few seconds: one does not hear of changes; see `[-] store` of its `/readyz`.',
  },
  backline_store_writer: {
    type: 'gauge',
    help: '1 in the process that writes.',
    worry:
      'The sum over all API processes is not 1 for 10 s: nobody holds the writer lock, and writes get 503. Search the log for `writer lock`.',
  },
  backline_watchers: {
    type: 'gauge',
    help: 'Open watches.',
    worry: 'Grows without end: a client opens watches and does not close them.',
  },
  backline_watchers_dropped_total: {
    type: 'counter',
    help: 'Watches ended because the client was too slow.',
    worry: 'A steady rate: a reader cannot keep up with changes, or its network. It lists anew and goes on.',
  },
};

/** Name, type, labels and meaning of each metric, and when it calls for somebody. */
export function metricsPage(): string {
  const rows = Object.entries(METRICS)
    .toSorted(([a], [b]) => (a < b ? -1 : 1))
    .map(([name, { type, help, labels = [], worry }]) => [code(name), type, labels.map(code).join(', '), help, worry]);
  return `# Metrics

\`/metrics\` serves these in the format of Prometheus, with the usual metrics of a Node.js process. The end of a name gives the unit.
No credential is needed.

${table(['metric', 'type', 'labels', 'meaning', 'when to worry, and what to do'], rows)}
`;
}
