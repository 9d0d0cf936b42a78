import type { Clock } from '#kernel/base/clock.ts';
import type { Log } from '#kernel/base/log.ts';
import type { Database } from '#kernel/postgres/database.ts';
import type { Attributes, Authority } from '#kernel/api/authority.ts';
import type { VirtualKind, VirtualList } from '#kernel/api/virtual.ts';
import type { Kind } from '#kernel/kinds/kind.ts';
import type { Operation } from '#kernel/store/rules/operation.ts';
import { fromKinds, type KindRegistry } from '#kernel/kinds/registry.ts';
import type { Sealing, Store } from '#kernel/store/contract.ts';
import type { Admission } from '#kernel/store/rules/write.ts';
import { attemptLog } from './audit/attempts.ts';
import { auditRecords } from './audit/record-list.ts';
import { dropReads, recordReads } from './audit/record-reads.ts';
import { dropAttempts } from './audit/rows.ts';
import type { Authenticator } from './authentication/authenticate.ts';
import { impersonation, type Impersonate } from './authentication/impersonate.ts';
import { issuerDocuments, type IssuerDocument } from './authentication/issuer-documents.ts';
import { isGone, serviceAccountTokens, type Holder } from './authentication/service-account-tokens.ts';
import { loadSigningKeys } from './authentication/signing-keys.ts';
import { admission } from './authorization/admission.ts';
import { forbiddenRefusal, mayWriteNothing, notAmongRefusal } from './authorization/forbidden-refusal.ts';
import { liveRules } from './authorization/live-rules.ts';
import { authorize, mayWriteSomething, selectorsOf, type RuleTable } from './rules/rule-table.ts';
import type { DeclaredPath } from './authorization/path-access.ts';
import { AuditRecord } from './kinds/audit-record.ts';
import { ClusterRole, ClusterRoleBinding, Role, RoleBinding } from './kinds/rbac.ts';
import { RecordRead } from './kinds/record-read.ts';
import { REVIEW_KINDS } from './kinds/reviews.ts';
import { Secret } from './kinds/secret.ts';
import { ServiceAccount } from './kinds/service-account.ts';
import { reviews } from './reviews.ts';

/** The kinds of this folder, in the order in which a change set writes them. */
export const accessKinds: readonly Kind[] = [
  Secret,
  ServiceAccount,
  ClusterRole,
  Role,
  ClusterRoleBinding,
  RoleBinding,
  ...REVIEW_KINDS,
  AuditRecord,
  RecordRead,
];

/** Access control before there is a store: the parts that the store needs to open. */
export interface Access {
  readonly admission: Admission;
  /** Whether somebody may, by the rules in force now, and by which binding. */
  readonly judge: (
    user: Omit<Holder, 'uid'>,
    wanted: Attributes,
  ) => { readonly allowed: boolean; readonly reason: string };
  /** Joins a store, and follows the declarations from then on. */
  readonly join: (store: Store<Operation>) => Promise<JoinedAccess>;
}

/** Access control in force. */
export interface JoinedAccess {
  readonly authority: Authority;
  /** Whether the user may, by the rules in force now. A deleted ServiceAccount may do nothing. */
  readonly may: (user: Holder, wanted: Attributes) => boolean;
  readonly virtual: ReadonlyMap<string, VirtualKind>;
  readonly virtualLists: ReadonlyMap<string, VirtualList>;
  readonly serviceAccounts: Authenticator;
  readonly impersonate: Impersonate;
  readonly issuerDocument: IssuerDocument;
  /** Declares the default roles, as far as they are missing. */
  readonly complete: () => Promise<void>;
  /** Drops audit records past the retention. */
  readonly compact: (keep: { readonly historyDays: number }) => Promise<void>;
  readonly stop: () => Promise<void>;
}

/** Reviews are not on record: they change nothing, and clients send them all the time. */
const UNRECORDED: ReadonlySet<Kind> = new Set(REVIEW_KINDS);

export function prepareAccess(parts: {
  readonly database: Database;
  readonly sealing: Sealing;
  readonly kinds: KindRegistry;
  /** The paths beside the resource API. */
  readonly paths: readonly DeclaredPath[];
  /** Authenticators beside that of ServiceAccounts. */
  readonly authenticators: readonly Authenticator[];
  readonly clock: Clock;
  /** The URL that tokens of service accounts name as their issuer. */
  readonly tokenIssuer?: string | undefined;
  readonly log: Log;
}): Access {
  const { database, sealing, kinds, paths, authenticators, clock, tokenIssuer, log } = parts;
  const rules = liveRules(log);
  const requireMay: Authority['authorize'] = (user, wanted) => {
    const { allowed, partly } = authorize(rules.table(), user, wanted);
    if (!allowed) throw forbiddenRefusal(user, wanted, partly);
  };
  const grant = grantBy(rules.table);
  const stored = fromKinds(kinds, (all) => all.filter(({ verbs }) => verbs.includes('update')));
  return {
    admission: admission(rules.table, kinds),
    judge: (user, wanted) => authorize(rules.table(), user, wanted),
    join: async (store) => {
      const keys = await loadSigningKeys(database, sealing);
      rules.follow(store, kinds);
      const tokens = serviceAccountTokens(keys, store, clock, tokenIssuer);
      const attempts = attemptLog(database, clock, log);
      const list = auditRecords({ database, kinds, sealing, attempts, version: store.version });
      return {
        authority: {
          authorize: requireMay,
          grant,
          grantAgain: (user, wanted, canNarrow) => {
            const { name, groups, uid } = user;
            if (isGone(store, { name, groups, uid })) throw forbiddenRefusal(user, wanted, []);
            return grant(user, wanted, canNarrow);
          },
          requireWriter: (user) => {
            if (!mayWriteSomething(rules.table(), user, stored())) throw mayWriteNothing(user);
          },
          recordAttempt: (author, attempt) =>
            UNRECORDED.has(attempt.kind) ? Promise.resolve() : attempts.keep(author, attempt),
        },
        may: (user, wanted) => !isGone(store, user) && authorize(rules.table(), user, wanted).allowed,
        virtual: reviews(rules.table, tokens, authenticators),
        virtualLists: new Map([
          [AuditRecord.id, list],
          [RecordRead.id, recordReads(database, store.version)],
        ]),
        serviceAccounts: tokens.authenticator,
        impersonate: impersonation(requireMay, store),
        issuerDocument: await issuerDocuments(keys, tokenIssuer),
        complete: () => rules.complete(store, kinds, paths),
        compact: async ({ historyDays }) => {
          const before = clock().subtract({ hours: historyDays * 24 });
          await dropAttempts(database.patient, before);
          await dropReads(database.patient, before);
        },
        stop: async () => {
          await rules.stop();
          await attempts.flush();
        },
      };
    },
  };
}

function grantBy(table: () => RuleTable): Authority['grant'] {
  return (user, wanted, canNarrow) => {
    const { allowed, partly } = authorize(table(), user, wanted);
    if (allowed) return { requireObject: () => {}, requireEvery: () => {} };
    const isCollection = wanted.selection !== undefined;
    if (partly.length === 0 || (isCollection && !canNarrow)) throw forbiddenRefusal(user, wanted, partly);
    return {
      requireObject: (object) => {
        if (object === undefined) throw notAmongRefusal(wanted, partly);
        if (authorize(table(), user, { ...wanted, object }).allowed) return;
        const mayRead = authorize(table(), user, {
          ...wanted,
          verb: 'get',
          subresource: '',
          object,
        }).allowed;
        throw mayRead ? forbiddenRefusal(user, wanted, partly) : notAmongRefusal(wanted, partly);
      },
      requireEvery: () => {
        throw forbiddenRefusal(user, wanted, partly);
      },
      ...(isCollection ? { within: selectorsOf(partly) } : {}),
    };
  };
}
