/** Every namespace carries its name in it, so that selectors can say which ones they mean. */
const NAME_LABEL = 'kubernetes.io/metadata.name';

/** The labels of a namespace as they are kept, whatever was sent. */
export function labelledByName(labels: Readonly<Record<string, string>> | null | undefined, name: string) {
  return { ...labels, [NAME_LABEL]: name };
}

/** Whether a namespace that was made before carries it. */
export function isLabelledByName(labels: Readonly<Record<string, string>>, name: string): boolean {
  return labels[NAME_LABEL] === name;
}
