import { defineRefusals, type CodesOf } from '#kernel/base/refusals.ts';

export const accessRefusal = defineRefusals('access', {
  'bad-impersonation': {
    reason: 'BadRequest',
    meaning: 'The headers that impersonate a user contradict each other or are not known.',
    hint: 'Send Impersonate-User once, and beside it Impersonate-Group, Impersonate-Uid and Impersonate-Extra-NAME.',
  },
  'bad-authority': {
    reason: 'BadRequest',
    meaning: 'The certificate authority in the data folder is damaged.',
    remedy:
      'Restore the folder from a backup. Or remove it: the next start creates a new authority, and each kubeconfig and each copy in the folders of other processes must be distributed again.',
  },
  'bad-key-file': {
    reason: 'BadRequest',
    meaning: 'The file of encryption keys cannot be read.',
    remedy: 'Restore the file from a backup: without its keys no Secret of this installation can be decrypted.',
  },
  'bad-review': {
    reason: 'Invalid',
    meaning: 'A review has a request that cannot be evaluated.',
    hint: 'Correct the field that the message names.',
  },
  'bad-token-file': {
    reason: 'BadRequest',
    meaning: 'A line of the token file is not TOKEN,USER,UID,"GROUPS".',
    remedy: 'Write one user a line: TOKEN,USER,UID,"GROUP1,GROUP2".',
  },
  'cannot-open': {
    reason: 'ServiceUnavailable',
    meaning: 'A sealed value in the database has no matching encryption key.',
    remedy: 'Start with the encryption key file that this database was used with.',
  },
  escalation: {
    reason: 'Forbidden',
    meaning: 'A role or binding grants more than its author holds.',
    hint: 'Ask a user who holds these rights, or leave them out.',
  },
  forbidden: {
    reason: 'Forbidden',
    meaning: 'The caller lacks the right that the message names.',
    hint: 'Ask for a RoleBinding to a role that allows it.',
  },
  'issuer-away': {
    reason: 'ServiceUnavailable',
    meaning: 'The OpenID Connect issuer does not answer, so its tokens cannot be checked.',
    remedy: 'Retry in a moment.',
  },
  'may-not-refer': {
    reason: 'Forbidden',
    meaning: 'The object refers to one of another namespace without the verb "refer" on it.',
    remedy: 'Ask its owners for the verb "refer".',
  },
  'no-bound-tokens': {
    reason: 'BadRequest',
    meaning: 'A token request binds the token to another object.',
    remedy: 'Leave out boundObjectRef; the token ends with its service account.',
  },
  'no-issuer': {
    reason: 'NotFound',
    meaning: 'Nobody else can verify tokens of service accounts: the installation has no URL as their issuer.',
    remedy: 'Start with --service-account-issuer=https://HOST, the address under which verifiers reach it.',
  },
  'no-impersonation': {
    reason: 'Forbidden',
    meaning: 'The request impersonates another user, on a node that does not know who may.',
    remedy: 'Leave out --as, or ask a node that runs the API.',
  },
  'referred-to': {
    reason: 'Forbidden',
    meaning: 'Objects of another namespace already refer to this name.',
    remedy: 'Choose another name, or ask a user who may also update those objects.',
  },
  'rules-too-broad': {
    reason: 'Forbidden',
    meaning: 'The rules of a role are too many to compare with the rights of their author.',
    remedy: 'Split them over several roles.',
  },
  'token-without-minter': {
    reason: 'Unauthorized',
    meaning: 'The token was minted by a version that did not record the minter.',
    remedy: 'Mint a new one: kubectl create token NAME.',
  },
  'too-many-minters': {
    reason: 'Forbidden',
    meaning: 'The token was minted through too long a chain of tokens.',
    remedy: 'Mint the token with the credential of a person.',
  },
  'too-many-records': {
    reason: 'TooManyRequests',
    meaning: 'A user read the records of as many listeners as are allowed in a day, or too many within one second.',
    remedy:
      'At the limit of the day retry tomorrow (UTC), else in a second; applications read records as a server Client.',
  },
  unauthorized: {
    reason: 'Unauthorized',
    meaning: 'The request has no valid credential.',
    hint: 'Send the header "Authorization: Bearer TOKEN"; the kubeconfig in the data directory holds the token.',
  },
  'unreadable-file': {
    reason: 'BadRequest',
    meaning: 'A file of the configuration cannot be read.',
    hint: 'Check that it exists and that this user may read it.',
  },
  'unsafe-issuer': {
    reason: 'BadRequest',
    meaning: 'The address of the OpenID Connect issuer is not https.',
    remedy: 'Use its https address: an issuer that can be spoofed on the network lets anyone in.',
  },
});

declare module '#kernel/base/failures.ts' {
  interface RefusalCodes extends CodesOf<typeof accessRefusal> {}
}
