/** The message by which a page of the same origin tells a tablet to have scanned a text. */
export const SCAN_MESSAGE = "carillon:scan";
