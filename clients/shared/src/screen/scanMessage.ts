/** The `type` of the message by which a page of the same origin simulates a scan on the tablet. */
export const SCAN_MESSAGE = "carillon:scan";
