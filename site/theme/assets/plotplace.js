// Runs before the page of the table is drawn: if its address requests a plot, reserves the space for it.
// @ts-check
"use strict";

document.documentElement.classList.toggle("plots", /[#&]x=[^&]/.test(location.hash) && /[#&]y=[^&]/.test(location.hash));
