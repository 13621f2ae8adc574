import "@carillon/shared/look/base.css";
import "@carillon/shared/parts/controls.css";
import "./demo.css";

import { followAddress } from "@carillon/shared/identity/address";
import { mount } from "@carillon/shared/screen/mount";
import { Settings } from "@carillon/shared/screen/settings";

import { Demo } from "./Demo";

const settings = new Settings("demo");
followAddress((parameters) => settings.apply(parameters));

mount(<Demo settings={settings} />);
