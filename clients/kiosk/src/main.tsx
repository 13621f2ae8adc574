import "@carillon/shared/look/base.css";
import "@carillon/shared/parts/controls.css";
import "./kiosk.css";

import { followAddress } from "@carillon/shared/identity/address";
import { applyStoredBrand } from "@carillon/shared/look/brand";
import { mount } from "@carillon/shared/screen/mount";
import { openOffline } from "@carillon/shared/screen/offline";
import { Settings } from "@carillon/shared/screen/settings";

import { Kiosk } from "./Kiosk";
import { Outbox } from "./outbox/outbox";
import { OutboxStore } from "./outbox/store";
import { ShortCode } from "./device/shortCode";

const settings = new Settings("kiosk");
const shortCode = new ShortCode();
applyStoredBrand(settings.storage);
followAddress((parameters) => {
  settings.apply(parameters);
  if (parameters.code !== undefined) shortCode.set(parameters.code);
});

mount(<Kiosk settings={settings} shortCode={shortCode} outbox={new Outbox(new OutboxStore(), navigator.locks)} />);

openOffline();
